#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sdx/image/face.h"
#include "sdx/image/image.h"

namespace sdx {

/// How a picture became square.
enum class Crop {
  kNone,    ///< it was square already
  kFace,    ///< around the largest face that was found
  kCentre,  ///< the largest square in its middle
};

std::string_view to_string(Crop crop);

/// A file of a folder of portraits, and what was made of it.
struct Portrait {
  std::filesystem::path file;
  std::string problem;  ///< why it is not used; empty if it is
  int width_px = 0;     ///< upright, before cropping; 0 if it could not be read
  int height_px = 0;
  int exif_orientation = 1;
  Crop crop = Crop::kNone;
  Rect area;    ///< the square that was taken
  Image image;  ///< that square at the model's size; empty if not used

  bool used() const { return problem.empty(); }
};

/// Textual inversion needs to see a person more than once or twice.
inline constexpr int kFewestPortraits = 3;

/// Looks at every file of `folder` (not of its subfolders; hidden files are passed over), in the
/// order of names: decodes it upright, crops a square around the face, else from the middle, and
/// scales it to `size_px`; nothing is ever squashed. A file that can't be used says why, among
/// others when its side is below a quarter of `size_px` or when it shows the same pixels as an
/// earlier one.
/// @param faces may be null: then squares are taken from the middle.
/// @throws MissingInputError if there is no such folder.
std::vector<Portrait> load_portraits(const std::filesystem::path& folder, int size_px,
                                     const FaceFinder* faces);

/// @throws MissingInputError (66) if fewer than kFewestPortraits are used, with the problem of each
///         file that isn't.
void check_enough_portraits(const std::filesystem::path& folder,
                            const std::vector<Portrait>& portraits);

}  // namespace sdx
