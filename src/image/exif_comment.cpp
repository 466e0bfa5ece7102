#include "image/exif_comment.h"

#include <array>
#include <cstdint>

#include "image/decoders.h"
#include "image/text_encoding.h"
#include "sdx/image/metadata.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {
namespace {

constexpr std::uint32_t kMakeTag = 0x010F;
constexpr std::uint32_t kModelTag = 0x0110;
constexpr std::uint32_t kExifIfdTag = 0x8769;
constexpr std::uint32_t kUserCommentTag = 0x9286;
constexpr std::uint32_t kTypeAscii = 2;
constexpr std::uint32_t kTypeLong = 4;
constexpr std::uint32_t kTypeUndefined = 7;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kEntryBytes = 12;
constexpr std::size_t kOneEntryIfdBytes = 2 + kEntryBytes + 4;

constexpr std::string_view kUnicodeCode("UNICODE\0", 8);
constexpr std::string_view kAsciiCode("ASCII\0\0\0", 8);
constexpr std::string_view kNoCode("\0\0\0\0\0\0\0\0", 8);

/// EXIF data with bounds: everything in them is an offset that a stranger wrote.
struct ExifReader {
  std::string_view block;
  bool high_byte_first = true;

  std::string_view slice(std::uint64_t offset, std::uint64_t length) const {
    if (offset > block.size() || length > block.size() - offset) {
      throw DataError("damaged EXIF data: they are shorter than they say");
    }
    return block.substr(offset, length);
  }

  std::uint32_t number(std::uint64_t offset, std::size_t bytes) const {
    const std::string_view digits = slice(offset, bytes);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      const char digit = digits[high_byte_first ? i : bytes - 1 - i];
      value = (value << 8U) | static_cast<std::uint8_t>(digit);
    }
    return value;
  }

  /// Offset of the entry with this tag in the directory at `offset`, or nothing.
  std::optional<std::uint64_t> entry(std::uint64_t offset, std::uint32_t tag) const {
    const std::uint32_t count = number(offset, 2);
    slice(offset + 2, count * kEntryBytes);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t position = offset + 2 + i * kEntryBytes;
      if (number(position, 2) == tag) return position;
    }
    return std::nullopt;
  }
};

/// @throws DataError if the block does not begin as EXIF data do.
ExifReader open_exif(std::string_view block) {
  if (block.starts_with(kExifPrefix)) block.remove_prefix(kExifPrefix.size());
  if (!block.starts_with("MM") && !block.starts_with("II")) {
    throw DataError("damaged EXIF data: their header is wrong");
  }
  const ExifReader reader{block, block.starts_with("MM")};
  if (reader.number(2, 2) != 42) throw DataError("damaged EXIF data: their header is wrong");
  return reader;
}

/// The standard does not say in which byte order UTF-16 is; programs take either, whatever that of
/// the block is. Infotexts are mostly ASCII, whose high bytes are 0.
bool is_high_byte_first(std::string_view utf16, bool otherwise) {
  if (utf16.starts_with("\xFE\xFF")) return true;
  if (utf16.starts_with("\xFF\xFE")) return false;
  std::array<std::size_t, 2> zeros{};
  for (std::size_t i = 0; i < utf16.size(); ++i) zeros[i % 2] += utf16[i] == '\0' ? 1 : 0;
  return zeros[0] == zeros[1] ? otherwise : zeros[0] > zeros[1];
}

std::string comment_text(std::string_view comment, bool block_high_byte_first) {
  const std::string_view code = comment.substr(0, kUnicodeCode.size());
  comment.remove_prefix(code.size());
  if (code == kUnicodeCode) {
    const bool high_byte_first = is_high_byte_first(comment, block_high_byte_first);
    if (comment.starts_with("\xFE\xFF") || comment.starts_with("\xFF\xFE")) {
      comment.remove_prefix(2);
    }
    // Some programs end or fill the text with NULs.
    while (comment.size() >= 2 && comment.ends_with(std::string_view("\0\0", 2))) {
      comment.remove_suffix(2);
    }
    return from_utf16(comment, high_byte_first);
  }
  if (code != kAsciiCode && code != kNoCode) return {};
  while (comment.ends_with('\0')) comment.remove_suffix(1);
  return sanitised_utf8(comment);
}

std::string big_endian_bytes(std::uint32_t value, int count) {
  std::string bytes;
  for (int i = count - 1; i >= 0; --i) bytes += static_cast<char>((value >> (8 * i)) & 0xFFU);
  return bytes;
}

std::string one_entry_ifd(std::uint32_t tag, std::uint32_t type, std::size_t count,
                          std::size_t value) {
  return big_endian_bytes(1, 2) + big_endian_bytes(tag, 2) + big_endian_bytes(type, 2) +
         big_endian_bytes(static_cast<std::uint32_t>(count), 4) +
         big_endian_bytes(static_cast<std::uint32_t>(value), 4) + big_endian_bytes(0, 4);
}

}  // namespace

std::string exif_comment_block(std::string_view text) {
  const std::string comment = std::string(kUnicodeCode) + to_utf16be(text);
  const std::size_t exif_ifd = kHeaderBytes + kOneEntryIfdBytes;
  return "MM" + big_endian_bytes(42, 2) + big_endian_bytes(kHeaderBytes, 4) +
         one_entry_ifd(kExifIfdTag, kTypeLong, 1, exif_ifd) +
         one_entry_ifd(kUserCommentTag, kTypeUndefined, comment.size(),
                       exif_ifd + kOneEntryIfdBytes) +
         comment;
}

std::optional<std::string> exif_comment(std::string_view block) {
  const ExifReader reader = open_exif(block);
  const auto pointer = reader.entry(reader.number(4, 4), kExifIfdTag);
  if (!pointer) return std::nullopt;
  const auto found = reader.entry(reader.number(*pointer + 8, 4), kUserCommentTag);
  if (!found) return std::nullopt;
  const std::uint32_t length = reader.number(*found + 4, 4);
  // Up to four bytes would stand in the entry itself; a comment begins with eight.
  if (length < kUnicodeCode.size()) return std::nullopt;
  std::string text =
      comment_text(reader.slice(reader.number(*found + 8, 4), length), reader.high_byte_first);
  if (trim(text).empty()) return std::nullopt;
  return text;
}

std::map<std::string, std::string> exif_texts(std::string_view block) {
  std::map<std::string, std::string> texts;
  if (auto comment = exif_comment(block)) texts.emplace(kParametersKeyword, std::move(*comment));
  const ExifReader reader = open_exif(block);
  for (const std::uint32_t tag : {kMakeTag, kModelTag}) {
    const auto found = reader.entry(reader.number(4, 4), tag);
    if (!found || reader.number(*found + 2, 2) != kTypeAscii) continue;
    const std::uint32_t length = reader.number(*found + 4, 4);
    if (length <= 4) continue;  // it stands in the entry itself: a camera's
    std::string_view text = reader.slice(reader.number(*found + 8, 4), length);
    text = text.substr(0, text.find('\0'));
    for (const std::string_view keyword : {"prompt", "workflow"}) {
      if (!text.starts_with(std::string(keyword) + ":")) continue;
      texts.emplace(keyword, sanitised_utf8(text.substr(keyword.size() + 1)));
    }
  }
  return texts;
}

}  // namespace sdx
