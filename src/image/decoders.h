#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/format.h"

namespace sdx {

// A decoder for each format, of a whole file in memory that has the format's signature. They check
// what they decode, give the picture as it is stored, not yet upright, and throw as decode_image
// does.

DecodedImage decode_jpeg(std::string_view file);
DecodedImage decode_png(std::string_view file);
DecodedImage decode_webp(std::string_view file);
DecodedImage decode_heic(std::string_view file);
DecodedImage decode_avif(std::string_view file);
DecodedImage decode_tiff(std::string_view file);
DecodedImage decode_bmp(std::string_view file);
/// The first frame; what it leaves transparent is white.
DecodedImage decode_gif(std::string_view file);

// The metadata of such a file; empty if it has none. JPEG has neither lengths nor checksums, so its
// pixels are decoded to see that nothing is missing.

std::map<std::string, std::string> png_texts(std::string_view file);
std::string jpeg_exif(std::string_view file);
std::string webp_exif(std::string_view file);
std::map<std::string, std::string> heic_texts(std::string_view file);
std::map<std::string, std::string> avif_texts(std::string_view file);

/// Whether the lowest bits of the transparency begin as "stealth pnginfo" does.
bool png_hides_text(std::string_view file);

// What they share.

/// A picture's bytes, at most 256 MiB. Its DataErrors have no path, as decode_image's.
std::string read_image_file(const std::filesystem::path& path);

/// What the file is by its signature.
/// @throws DataError that says what it is instead.
ImageFormat image_format(std::string_view file);

inline constexpr std::string_view kExifPrefix("Exif\0\0", 6);

inline const std::uint8_t* unsigned_bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

/// @throws DataError unless there are pixels, and at most so many millions of them.
void require_size(std::uint64_t width, std::uint64_t height,
                  int most_megapixels = kMaxImageMegapixels);

[[noreturn]] void refuse_animation(const char* format);

/// RGBA composited over white.
Image without_alpha(const std::vector<std::uint8_t>& rgba, int width, int height);
/// The same where the alpha is multiplied into the colours already.
Image over_white(const std::vector<std::uint8_t>& premultiplied_rgba, int width, int height);

/// The orientation in a block of EXIF data, 1 if there is none or it makes no sense.
int exif_orientation(std::string_view block);

}  // namespace sdx
