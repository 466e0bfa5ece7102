#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace sdx {

/// Where the bytes of a stored file lie in an archive.
struct ZipEntry {
  std::uint64_t offset;
  std::uint64_t size;
  std::uint32_t checksum;  ///< CRC-32; 0 where the writer was told to compute none
};

/// The files in a zip archive, by name. Only what torch.save writes is accepted: entries that are
/// stored, neither compressed nor encrypted; zip64 (more than 4 GB or 65535 entries) is read.
/// Everything is checked against the archive's size: names in both headers agree, no name comes
/// twice, the bytes of no two overlap (so their sizes never sum up to more than the file's).
/// Checksums are not compared here. Source: the ZIP file format specification (APPNOTE.TXT),
/// sections 4.3.7 to 4.3.16.
/// @throws DataError without the file's name.
std::map<std::string, ZipEntry> read_zip_directory(std::span<std::byte> archive);

}  // namespace sdx
