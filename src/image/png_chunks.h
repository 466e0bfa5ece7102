#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/error.h"

namespace sdx {

/// What a PNG file begins with.
inline constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

struct PngChunk {
  std::string_view type;  ///< four letters
  std::string_view data;
};

/// A 32-bit number, high byte first; `bytes` has at least four.
inline std::uint32_t big_endian_word(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4))
    value = (value << 8U) | static_cast<std::uint8_t>(byte);
  return value;
}

/// The chunks of a PNG file from IHDR to IEND, whose views point into `file`. Libpng itself passes
/// over a wrong checksum outside the picture, and over much of what can be wrong with the order.
/// @throws DataError if it is truncated, a checksum is wrong, or IHDR or IEND is not in its place.
inline std::vector<PngChunk> png_chunks(std::string_view file) {
  constexpr std::size_t kFrameBytes = 12;  // length, type, checksum
  constexpr std::size_t kHeaderBytes = 13;
  if (!file.starts_with(kPngSignature)) throw DataError("not a PNG file");
  std::vector<PngChunk> chunks;
  std::size_t position = kPngSignature.size();
  while (true) {
    const std::string_view rest = file.substr(position);
    if (rest.size() < kFrameBytes) {
      throw DataError("truncated: the end marker of the PNG is missing");
    }
    const std::size_t length = big_endian_word(rest);
    if (rest.size() - kFrameBytes < length) {
      throw DataError("truncated: the end marker of the PNG is missing");
    }
    const PngChunk chunk{rest.substr(4, 4), rest.substr(8, length)};
    const std::string_view checked = rest.substr(4, 4 + length);
    const unsigned long checksum =
        ::crc32_z(0, reinterpret_cast<const unsigned char*>(checked.data()), checked.size());
    if (checksum != big_endian_word(rest.substr(8 + length))) {
      throw DataError("damaged PNG: the checksum (CRC) of chunk " +
                      std::to_string(chunks.size() + 1) + " is wrong");
    }
    if (chunks.empty() && (chunk.type != "IHDR" || length != kHeaderBytes)) {
      throw DataError("damaged PNG: it does not begin with its header");
    }
    chunks.push_back(chunk);
    position += kFrameBytes + length;
    if (chunk.type == "IEND") return chunks;
  }
}

/// zlib data unpacked, up to a limit that a bomb exceeds and a text does not.
/// @param left that limit; what is unpacked is taken off it, for many texts can be a bomb together
/// @throws DataError beyond the limit, and for damaged data.
std::string unpack_png_data(std::string_view packed, std::size_t& left);

}  // namespace sdx
