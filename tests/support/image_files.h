#pragma once

// Pictures for tests, made by libjpeg, libwebp and zlib and not by the code under test.

#include <cstdio>
// jpeglib.h needs stdio.h.
#include <jpeglib.h>
#include <webp/encode.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/image/image.h"

namespace sdx::test {

struct Colour {
  int red = 0;
  int green = 0;
  int blue = 0;
};

inline Colour colour_at(const Image& image, int x, int y) {
  const std::uint8_t* const pixel =
      image.rgb.data() +
      3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width_px) +
           static_cast<std::size_t>(x));
  return {pixel[0], pixel[1], pixel[2]};
}

inline void set_colour(Image& image, int x, int y, Colour colour) {
  std::uint8_t* const pixel = image.rgb.data() + 3 * (static_cast<std::size_t>(y) *
                                                          static_cast<std::size_t>(image.width_px) +
                                                      static_cast<std::size_t>(x));
  pixel[0] = static_cast<std::uint8_t>(colour.red);
  pixel[1] = static_cast<std::uint8_t>(colour.green);
  pixel[2] = static_cast<std::uint8_t>(colour.blue);
}

/// Whether no channel differs by more than `tolerance`.
inline bool is_near(Colour a, Colour b, int tolerance) {
  return std::abs(a.red - b.red) <= tolerance && std::abs(a.green - b.green) <= tolerance &&
         std::abs(a.blue - b.blue) <= tolerance;
}

inline Image plain_image(int width, int height, Colour colour) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) set_colour(image, x, y, colour);
  }
  return image;
}

/// A picture in which every pixel differs from its neighbours, the same each time.
inline Image busy_image(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      set_colour(image, x, y, {(x * 37 + y * 11) % 256, (x * 5 + y * 91) % 256, (x * y * 3) % 256});
    }
  }
  return image;
}

inline constexpr Colour kRed{220, 30, 30};
inline constexpr Colour kGreen{30, 200, 30};
inline constexpr Colour kBlue{30, 30, 220};
inline constexpr Colour kYellow{220, 220, 30};

/// Four quarters: red and green above, blue and yellow below.
inline Image quartered_image(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool left = x < width / 2;
      set_colour(image, x, y, y < height / 2 ? (left ? kRed : kGreen) : (left ? kBlue : kYellow));
    }
  }
  return image;
}

// ---- EXIF

inline std::string number_bytes(std::uint32_t value, int count, bool big_endian) {
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    const int shift = 8 * (big_endian ? count - 1 - i : i);
    bytes += static_cast<char>((value >> shift) & 0xFFU);
  }
  return bytes;
}

/// A TIFF block with nothing but the orientation.
inline std::string exif_block(int orientation, bool big_endian = true) {
  const auto number = [big_endian](std::uint32_t value, int count) {
    return number_bytes(value, count, big_endian);
  };
  return std::string(big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) +  // IFD0 at 8
         number(1, 2) +                                                          // one entry
         number(0x0112, 2) + number(3, 2) + number(1, 4) +  // orientation, SHORT, one
         number(static_cast<std::uint32_t>(orientation), 2) + number(0, 2) +
         number(0, 4);  // no further IFD
}

// ---- JPEG

struct JpegOptions {
  int quality = 95;
  int orientation = 0;  ///< 0: no EXIF data
  bool big_endian_exif = true;
  bool progressive = false;
  int restart_rows = 0;
};

namespace detail {

/// Compresses `samples` of `components` per pixel; `prepare` sets the colour space and the rest.
template <typename Prepare>
std::string compress_jpeg(int width, int height, int components, J_COLOR_SPACE space,
                          const std::vector<std::uint8_t>& samples, Prepare&& prepare) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = components;
  info.in_color_space = space;
  jpeg_set_defaults(&info);
  const std::string exif = prepare(info);
  jpeg_start_compress(&info, TRUE);
  if (!exif.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(exif.data()),
                      static_cast<unsigned>(exif.size()));
  }
  const std::size_t stride = static_cast<std::size_t>(width * components);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(samples.data() + info.next_scanline * stride);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string result(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return result;
}

}  // namespace detail

inline std::string jpeg_bytes(const Image& image, const JpegOptions& options = {}) {
  return detail::compress_jpeg(image.width_px, image.height_px, 3, JCS_RGB, image.rgb,
                               [&options](jpeg_compress_struct& info) {
                                 jpeg_set_quality(&info, options.quality, TRUE);
                                 info.restart_in_rows = options.restart_rows;
                                 if (options.progressive) jpeg_simple_progression(&info);
                                 if (options.orientation == 0) return std::string();
                                 return std::string("Exif\0\0", 6) +
                                        exif_block(options.orientation, options.big_endian_exif);
                               });
}

inline std::string grey_jpeg_bytes(int width, int height, std::uint8_t shade) {
  const std::vector<std::uint8_t> samples(static_cast<std::size_t>(width * height), shade);
  return detail::compress_jpeg(width, height, 1, JCS_GRAYSCALE, samples,
                               [](jpeg_compress_struct&) { return std::string(); });
}

/// Four channels as they stand in the file. `space` is JCS_CMYK or JCS_YCCK.
inline std::string cmyk_jpeg_bytes(int width, int height, const std::vector<std::uint8_t>& pixel,
                                   J_COLOR_SPACE space, bool adobe_marker) {
  std::vector<std::uint8_t> samples;
  for (int i = 0; i < width * height; ++i)
    samples.insert(samples.end(), pixel.begin(), pixel.end());
  return detail::compress_jpeg(width, height, 4, JCS_CMYK, samples,
                               [&](jpeg_compress_struct& info) {
                                 jpeg_set_colorspace(&info, space);
                                 jpeg_set_quality(&info, 100, TRUE);
                                 info.write_Adobe_marker = adobe_marker ? TRUE : FALSE;
                                 return std::string();
                               });
}

// ---- PNG

inline constexpr int kPngGrey = 0;
inline constexpr int kPngRgb = 2;
inline constexpr int kPngPalette = 3;
inline constexpr int kPngGreyAlpha = 4;
inline constexpr int kPngRgba = 6;

inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string checked = type + data;
  const unsigned long checksum =
      ::crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return number_bytes(static_cast<std::uint32_t>(data.size()), 4, true) + checked +
         number_bytes(static_cast<std::uint32_t>(checksum), 4, true);
}

inline std::string png_header(std::uint32_t width, std::uint32_t height, int bits, int type,
                              bool interlaced = false) {
  return std::string("\x89PNG\r\n\x1a\n", 8) +
         png_chunk("IHDR", number_bytes(width, 4, true) + number_bytes(height, 4, true) +
                               static_cast<char>(bits) + static_cast<char>(type) + '\0' + '\0' +
                               static_cast<char>(interlaced ? 1 : 0));
}

inline std::string zlib_bytes(std::string_view raw) {
  uLongf size = ::compressBound(static_cast<uLong>(raw.size()));
  std::string packed(size, '\0');
  if (::compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                 reinterpret_cast<const Bytef*>(raw.data()),
                 static_cast<uLong>(raw.size())) != Z_OK) {
    throw std::runtime_error("zlib");
  }
  packed.resize(size);
  return packed;
}

/// A PNG whose rows hold `rows` (each without its filter byte); `before` and `after` are chunks
/// that stand before and after the pixels.
inline std::string png_bytes(std::uint32_t width, int bits, int type,
                             const std::vector<std::string>& rows, const std::string& before = "",
                             const std::string& after = "") {
  std::string raw;
  for (const std::string& row : rows) raw += '\0' + row;
  return png_header(width, static_cast<std::uint32_t>(rows.size()), bits, type) + before +
         png_chunk("IDAT", zlib_bytes(raw)) + after + png_chunk("IEND", "");
}

inline std::string png_bytes(const Image& image, const std::string& before = "",
                             const std::string& after = "") {
  std::vector<std::string> rows;
  const std::size_t stride = static_cast<std::size_t>(3 * image.width_px);
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height_px); ++y) {
    rows.emplace_back(reinterpret_cast<const char*>(image.rgb.data()) + y * stride, stride);
  }
  return png_bytes(static_cast<std::uint32_t>(image.width_px), 8, kPngRgb, rows, before, after);
}

/// A picture whose transparency hides a text in its lowest bits, down the columns, as "stealth
/// pnginfo" does.
inline std::string stealth_png(const std::string& beginning = "stealth_pnginfo") {
  constexpr std::size_t kSide = 16;
  std::vector<std::string> rows(kSide, std::string(4 * kSide, '\xFE'));
  for (std::size_t i = 0; i < 8 * beginning.size(); ++i) {
    const unsigned bit = (static_cast<unsigned char>(beginning[i / 8]) >> (7 - i % 8)) & 1U;
    if (bit != 0) rows[i % kSide][4 * (i / kSide) + 3] = '\xFF';
  }
  return png_bytes(kSide, 8, kPngRgba, rows);
}

// ---- WebP

inline std::string take_webp(std::uint8_t* bytes, std::size_t size) {
  if (size == 0) throw std::runtime_error("libwebp");
  std::string result(reinterpret_cast<const char*>(bytes), size);
  WebPFree(bytes);
  return result;
}

inline std::string webp_bytes(const Image& image) {
  std::uint8_t* bytes = nullptr;
  const std::size_t size = WebPEncodeLosslessRGB(image.rgb.data(), image.width_px, image.height_px,
                                                 3 * image.width_px, &bytes);
  return take_webp(bytes, size);
}

inline std::string lossy_webp_bytes(const Image& image) {
  std::uint8_t* bytes = nullptr;
  const std::size_t size = WebPEncodeRGB(image.rgb.data(), image.width_px, image.height_px,
                                         3 * image.width_px, 90, &bytes);
  return take_webp(bytes, size);
}

inline std::string rgba_webp_bytes(int width, int height, const std::vector<std::uint8_t>& rgba) {
  std::uint8_t* bytes = nullptr;
  const std::size_t size = WebPEncodeLosslessRGBA(rgba.data(), width, height, 4 * width, &bytes);
  return take_webp(bytes, size);
}

inline std::string riff_chunk(const std::string& type, const std::string& data) {
  return type + number_bytes(static_cast<std::uint32_t>(data.size()), 4, false) + data +
         std::string(data.size() % 2, '\0');
}

/// An extended WebP (VP8X) of this size from chunks.
inline std::string extended_webp(int width, int height, int flags, const std::string& chunks) {
  const std::string header =
      riff_chunk("VP8X", number_bytes(static_cast<std::uint32_t>(flags), 4, false) +
                             number_bytes(static_cast<std::uint32_t>(width - 1), 3, false) +
                             number_bytes(static_cast<std::uint32_t>(height - 1), 3, false));
  return riff_chunk("RIFF", "WEBP" + header + chunks);
}

/// The picture's own chunk of a simple WebP file.
inline std::string webp_image_chunk(const std::string& file) { return file.substr(12); }

}  // namespace sdx::test
