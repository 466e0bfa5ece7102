#include "tensor/zip_directory.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "tensor/byte_reader.h"

namespace sdx {

namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kLocatorBytes = 20;
constexpr std::uint64_t kMaxCommentBytes = 0xffff;
constexpr std::uint32_t kSeeZip64 = 0xffffffff;

/// Where the central directory lies and how many entries it has.
struct Directory {
  std::uint64_t offset;
  std::uint64_t size;
  std::uint64_t entries;
};

/// The end record stands last, before a comment of unknown length.
std::uint64_t find_end(ByteReader& reader, std::uint64_t size) {
  for (std::uint64_t comment = 0; comment <= kMaxCommentBytes && kEndBytes + comment <= size;
       ++comment) {
    const std::uint64_t position = size - kEndBytes - comment;
    reader.seek(position);
    if (reader.number<std::uint32_t>() != kEnd) continue;
    reader.seek(position + kEndBytes - 2);
    if (reader.number<std::uint16_t>() == comment) return position;
  }
  throw DataError("the directory at the end of the archive is missing: truncated");
}

Directory find_directory(ByteReader& reader, std::uint64_t size) {
  const std::uint64_t end = find_end(reader, size);
  if (end >= kLocatorBytes) {
    reader.seek(end - kLocatorBytes);
    if (reader.number<std::uint32_t>() == kEnd64Locator) {
      reader.take(4);
      reader.seek(reader.number<std::uint64_t>());
      if (reader.number<std::uint32_t>() != kEnd64) {
        throw DataError("the zip64 end record is not where it should be: damaged");
      }
      reader.take(28);  // sizes, versions and disks; entries on this disk
      Directory directory{};
      directory.entries = reader.number<std::uint64_t>();
      directory.size = reader.number<std::uint64_t>();
      directory.offset = reader.number<std::uint64_t>();
      return directory;
    }
  }
  reader.seek(end + 10);
  Directory directory{};
  directory.entries = reader.number<std::uint16_t>();
  directory.size = reader.number<std::uint32_t>();
  directory.offset = reader.number<std::uint32_t>();
  return directory;
}

struct CentralEntry {
  std::string name;
  ZipEntry entry;        ///< its offset is still that of the local header
  std::uint64_t stored;  ///< the compressed size
  std::uint16_t flags;
  std::uint16_t method;
};

/// The 64-bit values that stand in for fields of 32 bits which are all ones.
void read_zip64(std::span<std::byte> extra, CentralEntry& entry) {
  constexpr std::uint16_t kZip64 = 1;
  ByteReader reader(extra);
  while (reader.left() >= 4) {
    const auto id = reader.number<std::uint16_t>();
    ByteReader field(reader.take(reader.number<std::uint16_t>()));
    if (id != kZip64) continue;
    for (std::uint64_t* value : {&entry.entry.size, &entry.stored, &entry.entry.offset}) {
      if (*value == kSeeZip64) *value = field.number<std::uint64_t>();
    }
    return;
  }
}

CentralEntry read_central(ByteReader& reader) {
  if (reader.number<std::uint32_t>() != kCentralHeader) {
    throw DataError("an entry of the archive's directory is not where it should be: damaged");
  }
  CentralEntry entry{};
  reader.take(4);  // versions
  entry.flags = reader.number<std::uint16_t>();
  entry.method = reader.number<std::uint16_t>();
  reader.take(4);  // time and date
  entry.entry.checksum = reader.number<std::uint32_t>();
  entry.stored = reader.number<std::uint32_t>();
  entry.entry.size = reader.number<std::uint32_t>();
  const auto name_bytes = reader.number<std::uint16_t>();
  const auto extra_bytes = reader.number<std::uint16_t>();
  const auto comment_bytes = reader.number<std::uint16_t>();
  reader.take(8);  // disk, attributes
  entry.entry.offset = reader.number<std::uint32_t>();
  entry.name = reader.text(name_bytes);
  read_zip64(reader.take(extra_bytes), entry);
  reader.take(comment_bytes);
  return entry;
}

/// Goes from the local header to the data behind it.
ZipEntry locate(ByteReader& reader, const CentralEntry& central) {
  constexpr std::uint16_t kEncrypted = 1;
  if (central.method != 0 || (central.flags & kEncrypted) != 0 ||
      central.stored != central.entry.size) {
    throw DataError("the entry " + in_quotes(central.name) +
                    " is compressed or encrypted, which torch.save never does; unpack the archive "
                    "and pack it again without compression (zip -0)");
  }
  reader.seek(central.entry.offset);
  if (reader.number<std::uint32_t>() != kLocalHeader) {
    throw DataError("the entry " + in_quotes(central.name) + " is not where the directory says");
  }
  reader.take(22);
  const auto name_bytes = reader.number<std::uint16_t>();
  const auto extra_bytes = reader.number<std::uint16_t>();
  if (reader.text(name_bytes) != central.name) {
    throw DataError("the entry " + in_quotes(central.name) + " has another name in its own header");
  }
  reader.take(extra_bytes);
  ZipEntry entry = central.entry;
  entry.offset = reader.position();
  if (entry.size > reader.left()) {
    throw DataError("the entry " + in_quotes(central.name) + " claims " +
                    std::to_string(entry.size) + " bytes, the file has " +
                    std::to_string(reader.left()) + " left: truncated or damaged");
  }
  return entry;
}

void refuse_overlaps(const std::map<std::string, ZipEntry>& entries) {
  std::vector<ZipEntry> ordered;
  for (const auto& [name, entry] : entries) ordered.push_back(entry);
  std::sort(ordered.begin(), ordered.end(), [](const ZipEntry& a, const ZipEntry& b) {
    return std::pair(a.offset, a.size) < std::pair(b.offset, b.size);
  });
  for (std::size_t i = 1; i < ordered.size(); ++i) {
    if (ordered[i - 1].offset + ordered[i - 1].size > ordered[i].offset) {
      throw DataError("two entries of the archive overlap");
    }
  }
}

}  // namespace

std::map<std::string, ZipEntry> read_zip_directory(std::span<std::byte> archive) {
  ByteReader reader(archive);
  const Directory directory = find_directory(reader, archive.size());
  reader.seek(directory.offset);
  ByteReader central(reader.take(directory.size));
  std::map<std::string, ZipEntry> entries;
  while (central.left() > 0) {
    const CentralEntry entry = read_central(central);
    if (!entries.emplace(entry.name, locate(reader, entry)).second) {
      throw DataError("the archive holds " + in_quotes(entry.name) + " twice");
    }
  }
  if (entries.size() != directory.entries) {
    throw DataError("the archive's directory claims " + std::to_string(directory.entries) +
                    " entries, it has " + std::to_string(entries.size()));
  }
  refuse_overlaps(entries);
  return entries;
}

}  // namespace sdx
