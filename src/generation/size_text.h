#pragma once

#include <string>

#include "sdx/model/conditioning.h"

// How people write sizes, shapes and corners. Each is read again as it was written.

namespace sdx {

inline constexpr int kMostPixels = 65536;  ///< of a side: more is a slip

/// "512x768"; "auto" is the empty size.
/// @throws SettingError for `setting`.
ImageSize parse_size(const char* setting, const std::string& text);
std::string size_text(const ImageSize& size);

/// Width by height of "3:4" or "1.5:1"; "auto" is 0.
/// @throws SettingError for `aspect`: both must be above 0, and neither 8 times the other.
double parse_aspect(const std::string& text);
std::string aspect_text(double aspect);

/// What was cut off at the left and above, in pixels.
struct CropCorner {
  int left_px = 0;
  int top_px = 0;
};

/// "12,0".
/// @throws SettingError for `crop-corner`.
CropCorner parse_crop_corner(const std::string& text);

}  // namespace sdx
