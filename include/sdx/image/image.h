#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sdx {

/// A picture in memory: 8-bit sRGB, rows top to bottom, pixels interleaved RGB, no padding.
struct Image {
  int width_px = 0;
  int height_px = 0;
  std::vector<std::uint8_t> rgb;  ///< 3 × width × height bytes

  Image() = default;
  /// A black picture.
  Image(int width, int height)
      : width_px(width),
        height_px(height),
        rgb(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {}
};

/// A rectangle of pixels, its corner counted from the picture's top left.
struct Rect {
  int x_px = 0;
  int y_px = 0;
  int width_px = 0;
  int height_px = 0;
};

}  // namespace sdx
