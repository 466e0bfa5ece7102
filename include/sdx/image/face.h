#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "sdx/image/image.h"

namespace sdx {

/// Finds upright faces with OpenCV's Haar cascade (`haarcascade_frontalface_default.xml`).
class FaceFinder {
 public:
  /// @throws DataError if the file is not a cascade; as read_file if it cannot be read.
  explicit FaceFinder(const std::filesystem::path& cascade_file);
  ~FaceFinder();
  FaceFinder(FaceFinder&&) noexcept;
  FaceFinder& operator=(FaceFinder&&) noexcept;

  /// The finder with the cascade in data_folder(), else the one that the `opencv-data` package
  /// installs, or nothing without both.
  static std::optional<FaceFinder> installed();

  /// Largest first. Empty if there is none.
  std::vector<Rect> find(const Image& image) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
