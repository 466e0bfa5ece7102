#include "fuzz/checksums.h"

#include <zlib.h>

#include "image/png_chunks.h"

namespace sdx::fuzz {

std::string mend_png(std::string_view bytes) {
  std::string mended(bytes);
  if (!bytes.starts_with(kPngSignature)) return mended;
  constexpr std::size_t kFrameBytes = 12;  // length, type, checksum
  std::size_t position = kPngSignature.size();
  while (bytes.size() - position >= kFrameBytes) {
    const std::size_t length = big_endian_word(bytes.substr(position));
    if (bytes.size() - position - kFrameBytes < length) break;
    const auto* const checked =
        reinterpret_cast<const unsigned char*>(mended.data()) + position + 4;
    const unsigned long checksum = ::crc32_z(0, checked, length + 4);
    position += length + kFrameBytes;
    for (std::size_t i = 0; i < 4; ++i) {
      mended[position - 1 - i] = static_cast<char>((checksum >> (8 * i)) & 0xffU);
    }
  }
  return mended;
}

}  // namespace sdx::fuzz
