#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sdx/image/face.h"
#include "sdx/image/identity.h"
#include "sdx/roster/roster.h"

namespace sdx {

/// A picture in a member's folder, and whom it shows.
struct ImageFace {
  std::filesystem::path file;
  std::string problem;      ///< why it can't be read; empty if it can
  std::vector<float> face;  ///< the encoder's unit vector; empty if no face is seen
};

/// The faces in a member's folder. They are kept in memory only: nobody's face is left on a disk.
struct MemberFaces {
  std::string name;
  std::filesystem::path folder;
  std::vector<ImageFace> images;  ///< in the order of their names

  /// Those that were seen.
  std::vector<std::vector<float>> faces() const;
};

/// The face in a picture, the largest of several. The encoder looks at the whole picture: the face
/// network has a detector of its own, and the model's own network sees a person in every cartoon.
/// Only where it sees none, it is shown the squares around the faces that `finder` finds, largest
/// first: in a photograph of a landscape a face is too small for the network's detector.
/// @param image upright
/// @param finder may be null.
/// @return a unit vector; nothing if no face is seen.
std::optional<std::vector<float>> face_in(const Image& image, const IdentityEncoder& encoder,
                                          const FaceFinder* finder);

/// A team's faces, and by whom they were seen.
struct TeamFaces {
  const IdentityEncoder* encoder = nullptr;  ///< null only if there was none
  bool is_known = false;  ///< whether it knows such faces; if not, what it says means little
  std::vector<MemberFaces> members;
};

/// Looks at every picture of the members' folders (files that begin like one; hidden files and
/// subfolders are passed over) with the first encoder that knows such faces: it sees one in more
/// than half of the pictures, and mostly one person, in most of the folders that have two pictures
/// or more, and at most one pair of folders in five is one person to it. (To the built-in model's
/// network, which knows its cartoons, photographs of one man are one person, but those of another
/// man are mostly the same one.) If none does, what the first one saw is the answer.
///
/// Costs a decoding and an encoding for each picture, one picture in memory at a time.
/// @param finder may be null.
/// @param progress called with the pictures that are done and all of them, first with 0; once more
///        from 0 for each further encoder. What it throws ends the look.
/// @throws as read_file for a folder that can't be read; see check_portraits().
TeamFaces find_faces_of_team(const std::vector<Member>& members,
                             const std::vector<const IdentityEncoder*>& encoders,
                             const FaceFinder* finder,
                             const std::function<void(int done, int total)>& progress);

}  // namespace sdx
