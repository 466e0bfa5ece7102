#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sdx/dataset/latents.h"
#include "sdx/dataset/portraits.h"
#include "sdx/dataset/templates.h"
#include "sdx/image/identity.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// The subject that a new word stands for, and how its pictures are read.
struct SubjectOptions {
  SubjectKind kind = SubjectKind::kPerson;  ///< what the pictures have in common
  int size_px = 0;                          ///< side of the squares; 0: the model's native size
  std::optional<Crop> crop;   ///< nothing: faces for persons, the middle for objects and styles
  PortraitOptions portraits;  ///< size_px and crop are set by load_subject()
  LatentOptions latents;
  std::string templates_file;  ///< empty: those of the kind
  std::string face_network;    ///< folder; empty: see FaceNetwork::load_installed()
  std::string face_detector;   ///< YuNet's file; empty: see FaceFinder::installed()
};

/// A folder of pictures, looked at.
struct SubjectPortraits {
  std::vector<Portrait> portraits;  ///< every file, in the order of names
  std::vector<std::size_t> strays;  ///< places in `portraits`, see flag_strays()
  std::string face_finder;          ///< "YuNet" or "Haar cascade"; empty if none is installed
  bool tells_people_apart = false;  ///< an identity encoder was there
  std::vector<Image> used() const;  ///< the squares that are learnt from
};

/// The side of the squares that a model learns from.
/// @throws SettingError for one that the autoencoder cannot halve often enough.
int choose_size_px(const SubjectOptions& options, const BundleInfo& model);

/// Loads the portraits of `folder` at that size, and flags strays among those of a person.
/// @param identity may be null: then there are no strays, and FaceChoice::kMatch takes the largest.
/// @throws as choose_size_px, load_portraits and FaceFinder::installed. Not for too few: see
///         check_enough_portraits().
SubjectPortraits load_subject(const std::filesystem::path& folder, const SubjectOptions& options,
                              const Bundle& bundle, const IdentityEncoder* identity);

/// The sentences of the file that was named or, without, of the kind.
std::vector<std::string> load_templates(const SubjectOptions& options);

}  // namespace sdx
