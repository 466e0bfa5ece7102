#pragma once

#include <map>
#include <string>
#include <string_view>

#include "sdx/image/image.h"
#include "sdx/util/error.h"

namespace sdx {

// Encoders into memory. An empty EXIF block (TIFF, without the prefix "Exif") or XMP packet is left
// out. They throw as write_image does.

/// As write_png() writes it; the texts are checked and encoded there.
std::string encode_png(const Image& image, const std::map<std::string, std::string>& texts);
std::string encode_jpeg(const Image& image, int quality, std::string_view exif,
                        std::string_view xmp);
std::string encode_webp(const Image& image, int quality, std::string_view exif,
                        std::string_view xmp);

// What they share with PNG.

/// The keyword of XMP in a PNG; its standard demands an iTXt chunk, whatever the letters.
inline constexpr std::string_view kPngXmpKeyword = "XML:com.adobe.xmp";

/// Bytes of a row.
/// @throws InternalError unless there are pixels, and as many as the size says.
inline std::size_t checked_row_bytes(const Image& image) {
  const std::size_t row_bytes = std::size_t{3} * static_cast<std::size_t>(image.width_px);
  if (image.width_px < 1 || image.height_px < 1 ||
      image.rgb.size() != row_bytes * static_cast<std::size_t>(image.height_px)) {
    throw InternalError("a picture without pixels cannot be written");
  }
  return row_bytes;
}

/// @throws UsageError if a side is longer than the format allows.
inline void require_sides(const Image& image, int most, const char* format) {
  if (image.width_px <= most && image.height_px <= most) return;
  throw UsageError("a " + std::string(format) + " has at most " + std::to_string(most) +
                   " pixels a side, the picture is " + std::to_string(image.width_px) + "x" +
                   std::to_string(image.height_px) + "; write PNG");
}

}  // namespace sdx
