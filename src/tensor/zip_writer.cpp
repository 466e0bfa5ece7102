#include "tensor/zip_writer.h"

#include <zlib.h>

#include <cstdint>

#include "sdx/util/error.h"
#include "tensor/byte_writer.h"

namespace sdx {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLocalHeaderBytes = 30;
constexpr std::size_t kExtraHeaderBytes = 4;
constexpr std::uint16_t kVersion = 10;           // 1.0: stored files
constexpr std::uint16_t kDate = (1 << 5U) | 1U;  // 1980-01-01, the earliest there is
constexpr std::uint16_t kPadding = 'F' | ('B' << 8U);

/// What the header of a file and its entry in the directory have in common.
std::string common_fields(const ZipPart& part) {
  const auto size = static_cast<std::uint32_t>(part.bytes.size());
  const auto checksum = static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(part.bytes.data()), part.bytes.size()));
  return le(kVersion) + le(std::uint16_t{0}) + le(std::uint16_t{0}) +  // no flags; stored
         le(std::uint16_t{0}) + le(kDate) + le(checksum) + le(size) + le(size) +
         le(static_cast<std::uint16_t>(part.name.size()));
}

/// `position`: where the header will stand.
std::string local_header(const ZipPart& part, std::size_t position) {
  const std::size_t unpadded = position + kLocalHeaderBytes + part.name.size() + kExtraHeaderBytes;
  const std::size_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  return "PK\x03\x04" + common_fields(part) +
         le(static_cast<std::uint16_t>(kExtraHeaderBytes + padding)) + part.name + le(kPadding) +
         le(static_cast<std::uint16_t>(padding)) + std::string(padding, 'Z');
}

std::string directory_entry(const ZipPart& part, std::size_t position) {
  return "PK\x01\x02" + le(kVersion) + common_fields(part) +
         std::string(12, '\0') +  // no extra field, comment, further disk or attributes
         le(static_cast<std::uint32_t>(position)) + part.name;
}

}  // namespace

std::string zip_archive(const std::vector<ZipPart>& parts) {
  std::string archive;
  std::string directory;
  for (const ZipPart& part : parts) {
    directory += directory_entry(part, archive.size());
    archive += local_header(part, archive.size()) + part.bytes;
  }
  const std::size_t begin = archive.size();
  const auto count = static_cast<std::uint16_t>(parts.size());
  archive += directory + "PK\x05\x06" + std::string(4, '\0') + le(count) + le(count) +
             le(static_cast<std::uint32_t>(directory.size())) +
             le(static_cast<std::uint32_t>(begin)) + le(std::uint16_t{0});
  if (archive.size() > UINT32_MAX || parts.size() > UINT16_MAX) {
    throw InternalError("a zip archive of " + std::to_string(archive.size()) +
                        " bytes would need zip64, which is not written");
  }
  return archive;
}

}  // namespace sdx
