#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <string>
#include <utility>

#include "image/colour_profile.h"
#include "image/decoders.h"
#include "image/png_chunks.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

/// libpng's state. Its callbacks leave by longjmp: nothing that has a destructor may be made in the
/// functions that call setjmp, and everything that outlives them is in here.
struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string_view rest;
  std::array<char, 200> failure = {};

  PngReader() = default;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  [[noreturn]] void throw_failure() const {
    throw DataError("damaged PNG: " + std::string(failure.data()));
  }
};

extern "C" {

/// Of errors and warnings alike: with the chunks left out that do not concern the pixels, what
/// libpng warns of is damage.
void on_png_failure(png_structp png, png_const_charp message) {
  auto& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
  const std::size_t length = std::min(std::strlen(message), reader.failure.size() - 1);
  std::copy_n(message, length, reader.failure.begin());
  reader.failure[length] = '\0';
  png_longjmp(png, 1);
}

void on_png_read(png_structp png, png_bytep target, std::size_t size) {
  auto& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (reader.rest.size() < size) png_error(png, "it ends too early");
  std::memcpy(target, reader.rest.data(), size);
  reader.rest.remove_prefix(size);
}

}  // extern "C"

/// Asks for 8-bit RGB or RGBA, whatever the file has.
bool read_png_header(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_read_fn(reader.png, &reader, on_png_read);
  // -1: all chunks but those that the pixels need. Profiles that libpng dislikes are common.
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_scale_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_png_pixels(PngReader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, reader.info);  // without the info it passes over all that follows
  return true;
}

// Unpacked; those of printers, which are the largest, have 4 MB.
constexpr std::size_t kMostProfileBytes = std::size_t{16} << 20U;

struct Pixels {
  std::vector<std::uint8_t> bytes;  ///< row by row
  std::size_t width = 0;
  std::size_t height = 0;
  std::size_t channels = 0;  ///< 3, or 4 with transparency
};

/// The size comes before the checksums, so that a bomb is not read through to be refused.
void require_png_size(std::string_view file) {
  if (file.size() >= 24 && file.substr(12, 4) == "IHDR") {
    require_size(big_endian_word(file.substr(16)), big_endian_word(file.substr(20)));
  }
}

/// The pixels of a file whose chunks are sound.
Pixels read_pixels(std::string_view file) {
  PngReader reader;
  reader.rest = file;
  reader.png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_png_failure, on_png_failure);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) throw InternalError("libpng cannot be started");
  if (!read_png_header(reader)) reader.throw_failure();

  Pixels pixels;
  pixels.height = png_get_image_height(reader.png, reader.info);
  pixels.width = png_get_image_width(reader.png, reader.info);
  pixels.channels = png_get_channels(reader.png, reader.info);
  const std::size_t stride = png_get_rowbytes(reader.png, reader.info);
  if ((pixels.channels != 3 && pixels.channels != 4) || stride != pixels.channels * pixels.width) {
    throw InternalError("libpng did not make 8-bit RGB of a PNG");
  }
  pixels.bytes.resize(stride * pixels.height);
  std::vector<png_bytep> rows(pixels.height);
  for (std::size_t y = 0; y < pixels.height; ++y) rows[y] = pixels.bytes.data() + y * stride;
  if (!read_png_pixels(reader, rows.data())) reader.throw_failure();
  return pixels;
}

/// The ICC profile of a file whose chunks are sound, or nothing. A damaged one is passed over, as
/// everything is that does not concern the pixels.
std::string png_colour_profile(std::string_view file) {
  for (const PngChunk& chunk : png_chunks(file)) {
    if (chunk.type != "iCCP") continue;
    const std::size_t name_end = chunk.data.find('\0');
    if (name_end == std::string_view::npos || name_end + 2 > chunk.data.size()) return {};
    std::size_t left = kMostProfileBytes;
    try {
      return unpack_png_data(chunk.data.substr(name_end + 2), left);
    } catch (const DataError&) {
      return {};
    }
  }
  return {};
}

}  // namespace

DecodedImage decode_png(std::string_view file) {
  DecodedImage decoded;
  require_png_size(file);
  for (const PngChunk& chunk : png_chunks(file)) {
    if (chunk.type == "acTL" && chunk.data.size() >= 4 && big_endian_word(chunk.data) != 1) {
      refuse_animation("PNG");
    }
    if (chunk.type == "eXIf") decoded.exif_orientation = exif_orientation(chunk.data);
  }
  Pixels pixels = read_pixels(file);
  const int width = static_cast<int>(pixels.width);
  const int height = static_cast<int>(pixels.height);
  const std::string profile = png_colour_profile(file);
  if (pixels.channels == 4) {
    decoded.image = without_alpha(pixels.bytes, width, height);
  } else {
    decoded.image.width_px = width;
    decoded.image.height_px = height;
    decoded.image.rgb = std::move(pixels.bytes);
  }
  convert_to_srgb(decoded.image, profile);
  return decoded;
}

bool png_hides_text(std::string_view file) {
  constexpr std::string_view kBeginning = "stealth_png";  // "info" or "comp" follows
  require_png_size(file);
  png_chunks(file);
  const Pixels pixels = read_pixels(file);
  if (pixels.channels != 4) return false;
  if (pixels.width * pixels.height < kBeginning.size() * 8) return false;
  // Bit by bit down the columns, the highest of each letter first.
  for (std::size_t i = 0; i < kBeginning.size() * 8; ++i) {
    const std::size_t pixel = (i % pixels.height) * pixels.width + i / pixels.height;
    const unsigned bit = pixels.bytes[pixel * 4 + 3] & 1U;
    const auto letter = static_cast<unsigned char>(kBeginning[i / 8]);
    if (bit != ((letter >> (7 - i % 8)) & 1U)) return false;
  }
  return true;
}

}  // namespace sdx
