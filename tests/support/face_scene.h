#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "support/image_files.h"

namespace sdx::test {

/// Puts a picture into a larger one.
inline void paste(Image& canvas, const Image& part, int left, int top) {
  for (int y = 0; y < part.height_px; ++y) {
    std::copy_n(part.rgb.begin() + std::ptrdiff_t{3} * y * part.width_px,
                std::ptrdiff_t{3} * part.width_px,
                canvas.rgb.begin() + std::ptrdiff_t{3} * ((top + y) * canvas.width_px + left));
  }
}

/// A plain scene, a little darker from left to right, in which no detector sees a face.
inline Image empty_scene(int width, int height) {
  Image canvas(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) set_colour(canvas, x, y, {150 - x / 8, 180 - y / 8, 170});
  }
  return canvas;
}

/// Where the faces of two_people() are, about.
inline constexpr Rect kLeftFace{75, 87, 50, 50};
inline constexpr Rect kRightFace{285, 87, 50, 50};

/// A scene of 416×256 pixels with the head of the repository's photograph
/// (tests/data/face/README.md) twice.
inline Image two_people() {
  const Image photograph =
      decode_image(std::filesystem::path(SDX_TEST_DATA) / "face" / "portrait.jpg").image;
  Image scene = empty_scene(416, 256);
  const Image head = resize(crop(photograph, {60, 30, 210, 200}), 105, 100);
  paste(scene, head, 48, 70);
  paste(scene, head, 258, 70);
  return scene;
}

}  // namespace sdx::test
