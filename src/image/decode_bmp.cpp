#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "image/decoders.h"
#include "sdx/util/error.h"

namespace sdx {

// OpenCV would read BMP, but its module for that links a hundred other libraries.
// Source: Microsoft's documentation of BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER,
// BITMAPV4HEADER and of bitmap compression.

namespace {

enum Compression : std::uint32_t { kNone = 0, kRle8 = 1, kRle4 = 2, kMasks = 3, kAlphaMasks = 6 };

/// Little-endian numbers at positions in a file.
class Numbers {
 public:
  explicit Numbers(std::string_view file) : file_(file) {}

  /// @throws DataError beyond the file's end.
  std::uint32_t at(std::size_t position, std::size_t bytes) const {
    if (position > file_.size() || file_.size() - position < bytes) {
      throw DataError("truncated: the data of the BMP end too early");
    }
    std::uint32_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) {
      value = (value << 8U) | static_cast<std::uint8_t>(file_[position + i]);
    }
    return value;
  }

 private:
  std::string_view file_;
};

struct Header {
  int width = 0;
  int height = 0;
  bool is_top_down = false;
  unsigned bits = 0;  ///< of a pixel
  std::uint32_t compression = kNone;
  std::array<std::uint32_t, 4> masks{};  ///< red, green, blue, alpha
  std::size_t palette = 0;               ///< where it begins
  std::size_t palette_entry = 4;         ///< bytes
  std::size_t colours = 0;
  std::size_t pixels = 0;  ///< where they begin

  std::size_t stride() const {
    return (std::size_t{bits} * static_cast<unsigned>(width) + 31) / 32 * 4;
  }
};

[[noreturn]] void refuse(const std::string& what) { throw DataError("damaged BMP: " + what); }

void read_masks(Header& header, const Numbers& numbers, std::size_t header_bytes) {
  constexpr std::size_t kMasksAt = 54;  // inside of newer headers, behind the older one
  const bool has_alpha = header_bytes >= 56 || header.compression == kAlphaMasks;
  if (header.compression == kMasks || header.compression == kAlphaMasks) {
    for (std::size_t i = 0; i < (has_alpha ? 4U : 3U); ++i) {
      header.masks[i] = numbers.at(kMasksAt + 4 * i, 4);
    }
    if (header_bytes == 40) header.palette += has_alpha ? 16 : 12;
  } else if (header.bits == 16) {
    header.masks = {0x7C00, 0x03E0, 0x001F, 0};
  } else {
    header.masks = {0xFF0000, 0x00FF00, 0x0000FF, 0};
  }
}

Header read_header(const Numbers& numbers) {
  constexpr std::size_t kHeaderAt = 14;
  Header header;
  header.pixels = numbers.at(10, 4);
  const std::size_t header_bytes = numbers.at(kHeaderAt, 4);
  header.palette = kHeaderAt + header_bytes;
  std::int64_t height = 0;
  if (header_bytes == 12) {
    header.width = static_cast<int>(numbers.at(18, 2));
    height = numbers.at(20, 2);
    header.bits = numbers.at(24, 2);
    header.palette_entry = 3;
  } else if (header_bytes >= 40 && header_bytes <= 124) {
    const auto width = static_cast<std::int32_t>(numbers.at(18, 4));
    header.width = std::max(width, 0);
    height = static_cast<std::int32_t>(numbers.at(22, 4));
    header.is_top_down = height < 0;
    header.bits = numbers.at(28, 2);
    header.compression = numbers.at(30, 4);
    header.colours = numbers.at(46, 4);
  } else {
    refuse("its header has " + std::to_string(header_bytes) + " bytes, which no kind of BMP has");
  }
  height = height < 0 ? -height : height;
  require_size(static_cast<std::uint64_t>(header.width), static_cast<std::uint64_t>(height));
  header.height = static_cast<int>(height);
  read_masks(header, numbers, header_bytes);
  return header;
}

void require_kind(const Header& header) {
  const unsigned bits = header.bits;
  const std::uint32_t compression = header.compression;
  const bool is_known =
      (compression == kNone && (bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16 ||
                                bits == 24 || bits == 32)) ||
      (compression == kRle8 && bits == 8) || (compression == kRle4 && bits == 4) ||
      ((compression == kMasks || compression == kAlphaMasks) && (bits == 16 || bits == 32));
  if (is_known) return;
  throw DataError("a BMP of a kind that is not read (" + std::to_string(bits) +
                  " bits a pixel, compression " + std::to_string(compression) +
                  "); save it as PNG");
}

/// The value behind a mask as a part of 255.
std::uint8_t masked(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const std::uint64_t most = mask >> shift;
  const std::uint64_t value = (pixel & mask) >> shift;
  return static_cast<std::uint8_t>((value * 255 + most / 2) / most);
}

/// Where row y of the picture is to be written or read, counted from the file's first.
std::size_t stored_row(const Header& header, int y) {
  return static_cast<std::size_t>(header.is_top_down ? y : header.height - 1 - y);
}

/// Direct colours: 16, 24 or 32 bits a pixel.
Image read_colours(const Header& header, const Numbers& numbers) {
  const std::size_t bytes = header.bits / 8;
  std::vector<std::uint8_t> rgba;
  rgba.reserve(std::size_t{4} * static_cast<std::size_t>(header.width) *
               static_cast<std::size_t>(header.height));
  bool is_seen = false;
  for (int y = 0; y < header.height; ++y) {
    std::size_t position = header.pixels + stored_row(header, y) * header.stride();
    for (int x = 0; x < header.width; ++x, position += bytes) {
      const std::uint32_t pixel = numbers.at(position, bytes);
      for (const std::uint32_t mask : header.masks) rgba.push_back(masked(pixel, mask));
      is_seen = is_seen || rgba.back() != 0;
    }
  }
  // Many programs leave the alpha at 0 everywhere and mean a picture without.
  if (!is_seen) {
    for (std::size_t i = 3; i < rgba.size(); i += 4) rgba[i] = 255;
  }
  return without_alpha(rgba, header.width, header.height);
}

/// Indices of colours, row by row from the top.
std::vector<std::uint8_t> read_indices(const Header& header, const Numbers& numbers) {
  std::vector<std::uint8_t> indices;
  indices.reserve(static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.height));
  const unsigned in_byte = 8 / header.bits;
  for (int y = 0; y < header.height; ++y) {
    const std::size_t row = header.pixels + stored_row(header, y) * header.stride();
    for (unsigned x = 0; x < static_cast<unsigned>(header.width); ++x) {
      const std::uint32_t byte = numbers.at(row + x / in_byte, 1);
      const unsigned shift = 8 - header.bits * (x % in_byte + 1);
      indices.push_back(static_cast<std::uint8_t>((byte >> shift) & ((1U << header.bits) - 1)));
    }
  }
  return indices;
}

/// The same of run-length encoding: pairs of a count and a colour; a count of 0 begins a command.
std::vector<std::uint8_t> read_runs(const Header& header, const Numbers& numbers) {
  const auto width = static_cast<std::size_t>(header.width);
  const auto height = static_cast<std::size_t>(header.height);
  const bool is_half = header.compression == kRle4;
  std::vector<std::uint8_t> indices(width * height);
  std::size_t position = header.pixels;
  std::size_t x = 0;
  std::size_t row = 0;  // as stored
  const auto put = [&](std::uint32_t byte, std::size_t number) {
    const std::uint32_t index = !is_half ? byte : number % 2 == 0 ? byte >> 4U : byte & 15U;
    if (x >= width || row >= height) refuse("a run of colours leaves the picture");
    const std::size_t y = stored_row(header, static_cast<int>(row));
    indices[y * width + x++] = static_cast<std::uint8_t>(index);
  };
  while (true) {
    const std::uint32_t count = numbers.at(position, 1);
    const std::uint32_t value = numbers.at(position + 1, 1);
    position += 2;
    if (count > 0) {
      for (std::size_t i = 0; i < count; ++i) put(value, i);
    } else if (value == 0) {
      x = 0;
      ++row;
    } else if (value == 1) {
      return indices;
    } else if (value == 2) {
      x += numbers.at(position, 1);
      row += numbers.at(position + 1, 1);
      position += 2;
    } else {
      for (std::size_t i = 0; i < value; ++i) {
        put(numbers.at(position + (is_half ? i / 2 : i), 1), i);
      }
      const std::size_t bytes = is_half ? (value + 1) / 2 : value;
      position += (bytes + 1) / 2 * 2;
    }
  }
}

Image read_palette_image(const Header& header, const Numbers& numbers) {
  // The table may reach up to the pixels; some programs write fewer colours than the bits allow.
  const std::size_t room =
      header.pixels > header.palette ? (header.pixels - header.palette) / header.palette_entry : 0;
  std::size_t count = std::size_t{1} << header.bits;
  if (header.colours > 0) count = std::min(count, header.colours);
  count = std::min(count, room);
  const std::vector<std::uint8_t> indices =
      header.compression == kNone ? read_indices(header, numbers) : read_runs(header, numbers);
  std::vector<std::uint32_t> palette;
  for (std::size_t i = 0; i < count; ++i) {
    palette.push_back(numbers.at(header.palette + header.palette_entry * i, 3));
  }
  Image image(header.width, header.height);
  std::uint8_t* target = image.rgb.data();
  for (const std::uint8_t index : indices) {
    if (index >= count) {
      refuse("it uses colour " + std::to_string(index) + " of a table of " + std::to_string(count));
    }
    const std::uint32_t colour = palette[index];
    *target++ = static_cast<std::uint8_t>(colour >> 16U);
    *target++ = static_cast<std::uint8_t>(colour >> 8U);
    *target++ = static_cast<std::uint8_t>(colour);
  }
  return image;
}

}  // namespace

DecodedImage decode_bmp(std::string_view file) {
  const Numbers numbers(file);
  const Header header = read_header(numbers);
  require_kind(header);
  const bool is_packed = header.compression == kRle8 || header.compression == kRle4;
  const std::uint64_t pixels =
      static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.height);
  if (is_packed) {
    // Two bytes stand for 255 pixels at the most. Where pixels are skipped, there is room for as
    // many.
    if (pixels / 255 > file.size()) throw DataError("truncated: the data of the BMP end too early");
  } else {
    // The last byte is there before memory is taken for the picture.
    numbers.at(header.pixels + header.stride() * static_cast<std::size_t>(header.height) - 1, 1);
  }
  DecodedImage decoded;
  decoded.image =
      header.bits >= 16 ? read_colours(header, numbers) : read_palette_image(header, numbers);
  return decoded;
}

}  // namespace sdx
