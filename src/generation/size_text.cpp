#include "generation/size_text.h"

#include <cmath>
#include <cstdio>

#include "sdx/util/settings_table.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

using settings_detail::read_number;

constexpr double kLongestAspect = 8;  ///< more is a slip
constexpr const char* kAuto = "auto";

}  // namespace

ImageSize parse_size(const char* setting, const std::string& text) {
  if (text == kAuto) return {};
  ImageSize size;
  char rest = 0;
  const int fields = std::sscanf(text.c_str(), "%6dx%6d%c", &size.width_px, &size.height_px, &rest);
  const bool is_size = fields == 2 && size.width_px >= 1 && size.height_px >= 1 &&
                       size.width_px <= kMostPixels && size.height_px <= kMostPixels;
  if (!is_size) throw SettingError(setting, "WIDTHxHEIGHT, for example 512x512, or auto", text);
  return size;
}

std::string size_text(const ImageSize& size) {
  if (size.width_px == 0) return kAuto;
  return std::to_string(size.width_px) + "x" + std::to_string(size.height_px);
}

double parse_aspect(const std::string& text) {
  if (text == kAuto) return 0;
  const std::size_t colon = text.find(':');
  const auto width = read_number<double>(text.substr(0, colon));
  const auto height =
      colon == text.npos ? std::nullopt : read_number<double>(text.substr(colon + 1));
  const double aspect = width && height ? *width / *height : 0;
  const bool is_aspect = width && *width > 0 && std::isfinite(aspect) &&
                         aspect >= 1 / kLongestAspect && aspect <= kLongestAspect;
  if (is_aspect) return aspect;
  throw SettingError("aspect", "WIDTH:HEIGHT, for example 3:4, at most 8:1, or auto", text);
}

std::string aspect_text(double aspect) {
  return aspect > 0 ? exact_number(aspect) + ":1" : std::string(kAuto);
}

CropCorner parse_crop_corner(const std::string& text) {
  CropCorner corner;
  char rest = 0;
  const int fields = std::sscanf(text.c_str(), "%6d,%6d%c", &corner.left_px, &corner.top_px, &rest);
  const auto is_length = [](int px) { return px >= 0 && px <= kMostPixels; };
  if (fields == 2 && is_length(corner.left_px) && is_length(corner.top_px)) return corner;
  throw SettingError("crop-corner", "LEFT,TOP in pixels, for example 0,0", text);
}

}  // namespace sdx
