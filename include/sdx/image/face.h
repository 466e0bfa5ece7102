#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "sdx/image/image.h"

namespace sdx {

/// A place in a picture, counted from its top left corner.
struct Point {
  double x_px = 0;
  double y_px = 0;
};

/// A face in an upright picture.
struct Face {
  Rect box;          ///< from the brows to the chin, within the picture
  double score = 1;  ///< 0 … 1, how sure YuNet is; the cascade does not say
  /// Detectors, nose tip, mouth corners; of the pairs the one at the picture's left comes first.
  /// The cascade finds none.
  std::optional<std::array<Point, 5>> landmarks;
};

/// How closely a picture is looked at. By itself as a portrait is: one large, sure face.
struct FaceSearch {
  /// Faces of which YuNet is less sure are none, 0 … 1. The cascade does not say how sure it is. On
  /// eight photographs the true faces have 0.92 … 1.00; at 0.6 false ones appear.
  double confidence = 0.9;
  /// Smaller ones are no faces: width to the picture's shorter side, 0 … 1.
  double smallest = 0.1;
  /// The picture is searched at a size whose longer side lies between these: the time grows with
  /// the area, and a face of fewer than about 20 pixels is not seen.
  int least_side_px = 1;
  int most_side_px = 640;
};

/// Finds upright faces, in one of two ways: OpenCV's YuNet (a small network, Wu et al. 2023), which
/// finds more and has landmarks, or OpenCV's Haar cascade (Viola and Jones 2001). Thread-safe.
class FaceFinder {
 public:
  /// @param file the ONNX file of YuNet that this version of OpenCV reads: the one of 2022 up to
  ///        4.7, the one of 2023 from 4.8 on; its name must end in ".onnx"
  /// @throws DataError if it is another file; as read_file if it cannot be read.
  static FaceFinder yunet(const std::filesystem::path& file);

  /// @param file `haarcascade_frontalface_default.xml` or the like
  /// @throws as yunet().
  static FaceFinder cascade(const std::filesystem::path& file);

  /// The best finder that is there: YuNet from `file` if it is not empty, else from
  /// `$SDX_FACE_DETECTOR`, else from `face_detector.onnx` in `bundle_folder` or in
  /// data_folder()/face; the cascade in data_folder(), else the one that the `opencv-data` package
  /// installs; else nothing.
  /// @throws as yunet() if the file that was named is missing or is something else.
  static std::optional<FaceFinder> installed(const std::filesystem::path& file = {},
                                             const std::filesystem::path& bundle_folder = {});

  ~FaceFinder();
  FaceFinder(FaceFinder&&) noexcept;
  FaceFinder& operator=(FaceFinder&&) noexcept;

  /// "YuNet" or "Haar cascade".
  const char* method() const;

  /// Largest first. Empty if there is none.
  std::vector<Face> find(const Image& image, const FaceSearch& search = {}) const;

 private:
  struct Impl;
  struct YuNet;
  struct Cascade;
  explicit FaceFinder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
