#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/image/identity.h"

namespace sdx {

/// Tells real people apart: the 128-number ResNet of dlib (King 2017), on the largest face that
/// dlib's own detector finds, turned upright by its five landmarks. Only in builds with dlib
/// (CMake: SDX_WITH_DLIB). Thread-safe.
///
/// Two files of the Python package `face-recognition-models` are needed (CC0, never part of sdx):
/// `dlib_face_recognition_resnet_model_v1.dat` and `shape_predictor_5_face_landmarks.dat`.
class FaceNetwork : public IdentityEncoder {
 public:
  /// Whether this build has dlib.
  static bool is_built_in();

  /// What is to be done so that there is one, for error messages.
  static std::string how_to_install();

  /// @param folder with both files
  /// @throws UnavailableError without dlib; DataError for a file that is something else; as
  ///         read_file if one can't be read.
  explicit FaceNetwork(const std::filesystem::path& folder);
  ~FaceNetwork() override;
  FaceNetwork(FaceNetwork&&) noexcept;
  FaceNetwork& operator=(FaceNetwork&&) noexcept;

  /// The network from `folder` if it is not empty, else from `$SDX_FACE_NETWORK`, else from
  /// data_folder()/face; nothing if the latter lacks a file or this build has no dlib.
  /// @throws as the constructor for a folder that was named.
  static std::optional<FaceNetwork> load_installed(const std::filesystem::path& folder = {});

  /// 128 numbers. Pictures are searched at 400 to 800 px, in which a face must have 80 px.
  std::optional<std::vector<float>> encode(const Image& image) const override;
  double same_person_cosine() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
