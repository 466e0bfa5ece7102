#include <webp/decode.h>

#include <algorithm>
#include <new>
#include <string>

#include "image/colour_profile.h"
#include "image/decoders.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

std::size_t little_endian_word(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = (value << 8U) | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

/// The data of the first chunk of this type in a WebP file, or nothing.
/// @throws DataError if the file or a chunk ends too early.
std::string_view webp_chunk(std::string_view file, std::string_view type) {
  constexpr std::size_t kFrameBytes = 8;  // type, length
  const std::size_t riff_bytes = little_endian_word(file.substr(4));
  if (file.size() - kFrameBytes < riff_bytes || riff_bytes < 4) {
    throw DataError("truncated: the WebP is shorter than its header says");
  }
  std::string_view rest = file.substr(12, riff_bytes - 4);
  while (rest.size() >= kFrameBytes) {
    const std::size_t length = little_endian_word(rest.substr(4));
    if (rest.size() - kFrameBytes < length) {
      throw DataError("damaged WebP: a chunk is longer than the file");
    }
    if (rest.substr(0, 4) == type) return rest.substr(kFrameBytes, length);
    rest.remove_prefix(std::min(rest.size(), kFrameBytes + length + length % 2));
  }
  return {};
}

[[noreturn]] void throw_webp_failure(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      throw DataError("truncated: the data of the WebP end too early");
    case VP8_STATUS_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      throw DataError("a WebP of a kind that libwebp cannot read");
    default:
      throw DataError("damaged WebP: libwebp cannot decode it");
  }
}

}  // namespace

DecodedImage decode_webp(std::string_view file) {
  DecodedImage decoded;
  const std::string_view exif = webp_chunk(file, "EXIF");
  if (!exif.empty()) decoded.exif_orientation = exif_orientation(exif);

  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) throw InternalError("libwebp has another version");
  VP8StatusCode status = WebPGetFeatures(unsigned_bytes(file), file.size(), &config.input);
  if (status != VP8_STATUS_OK) throw_webp_failure(status);
  if (config.input.has_animation != 0) refuse_animation("WebP");
  const int width = config.input.width;
  const int height = config.input.height;
  require_size(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height));

  const std::size_t stride = std::size_t{4} * static_cast<std::size_t>(width);
  std::vector<std::uint8_t> rgba(stride * static_cast<std::size_t>(height));
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgba.data();
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = rgba.size();
  status = WebPDecode(unsigned_bytes(file), file.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) throw_webp_failure(status);
  decoded.image = without_alpha(rgba, width, height);
  convert_to_srgb(decoded.image, webp_chunk(file, "ICCP"));
  return decoded;
}

std::string webp_exif(std::string_view file) { return std::string(webp_chunk(file, "EXIF")); }

}  // namespace sdx
