#include "sdx/util/text_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

constexpr std::string_view kLittleEndianMark = "\xFF\xFE";
constexpr std::string_view kBigEndianMark = "\xFE\xFF";
constexpr std::string_view kAdvice = "; save it as UTF-8";

constexpr std::string_view kUtf32LittleMark{"\xFF\xFE\0\0", 4};
constexpr std::string_view kUtf32BigMark{"\0\0\xFE\xFF", 4};

/// Files that people take for texts, by their first bytes.
struct Signature {
  std::string_view bytes;
  std::string_view what;
};

constexpr std::array<Signature, 7> kSignatures = {
    {{"PK\x03\x04", "a zip archive, as the files of Excel, Word and LibreOffice are"},
     {"\xD0\xCF\x11\xE0", "a file of an old Excel or Word"},
     {"\x89PNG", "a PNG picture"},
     {"\xFF\xD8\xFF", "a JPEG picture"},
     {"RIFF", "a WebP picture or a sound"},
     {"%PDF", "a PDF"},
     {"\x1F\x8B", "compressed with gzip"}}};

std::size_t count_lines(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

[[noreturn]] void fail(const std::string& where, std::size_t line, const std::string& reason) {
  throw DataError(where + ", line " + std::to_string(line) + ": " + reason);
}

/// Where the first byte that is no UTF-8, or the first NUL, is.
std::size_t find_fault(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const std::size_t at = bytes.size() - rest.size();
    const bool is_ascii = static_cast<unsigned char>(rest.front()) < 0x80;
    if (rest.front() == '\0') return at;
    if (is_ascii) {
      rest.remove_prefix(1);
    } else if (!take_character(rest)) {
      return at;
    }
  }
  return bytes.npos;
}

// ------------------------------------------------------------------------------------ a guess

/// A byte pair of an East Asian encoding.
struct PairRange {
  unsigned char first_lead, last_lead, first_trail, last_trail;
};

bool is_within(unsigned char byte, unsigned char first, unsigned char last) {
  return byte >= first && byte <= last;
}

/// How many characters of two bytes a text has, if all that is not ASCII belongs to one.
/// @param single bytes beyond ASCII that stand alone, first and last; 0: none do
std::optional<std::size_t> count_pairs(std::string_view text, std::span<const PairRange> ranges,
                                       unsigned char first_single = 0,
                                       unsigned char last_single = 0) {
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) continue;
    if (first_single != 0 && is_within(lead, first_single, last_single)) continue;
    if (i + 1 == text.size()) return std::nullopt;
    const auto trail = static_cast<unsigned char>(text[i + 1]);
    const bool fits = std::any_of(ranges.begin(), ranges.end(), [&](const PairRange& range) {
      return is_within(lead, range.first_lead, range.last_lead) &&
             is_within(trail, range.first_trail, range.last_trail) && trail != 0x7F;
    });
    if (!fits) return std::nullopt;
    ++pairs;
    ++i;
  }
  return pairs;
}

/// Whether bytes beyond ASCII mostly have another within two places: an accent among Latin letters
/// stands alone, and the plain letter behind it could be a second byte as well.
bool is_dense(std::string_view bytes) {
  const auto is_high = [&](std::size_t i) {
    return i < bytes.size() && static_cast<unsigned char>(bytes[i]) >= 0x80;
  };
  std::size_t high = 0;
  std::size_t dense = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!is_high(i)) continue;
    ++high;
    if (is_high(i + 1) || is_high(i + 2) || (i > 0 && is_high(i - 1))) ++dense;
  }
  return dense * 2 > high;
}

/// What bytes that are not UTF-8 and have no NUL look like.
std::string_view guess_encoding(std::string_view bytes) {
  constexpr std::array<PairRange, 2> kShiftJis = {
      {{0x81, 0x9F, 0x40, 0xFC}, {0xE0, 0xFC, 0x40, 0xFC}}};
  constexpr std::array<PairRange, 1> kPairsOfHighBytes = {{{0xA1, 0xFE, 0xA1, 0xFE}}};
  constexpr std::array<PairRange, 1> kBig5OrGbk = {{{0x81, 0xFE, 0x40, 0xFE}}};
  const auto has_bytes = [&](unsigned char first, unsigned char last) {
    return std::any_of(bytes.begin(), bytes.end(), [&](char c) {
      return is_within(static_cast<unsigned char>(c), first, last);
    });
  };
  if (is_dense(bytes)) {
    const std::size_t japanese = count_pairs(bytes, kShiftJis, 0xA1, 0xDF).value_or(0);
    const bool has_kana = has_bytes(0x82, 0x83);
    if (japanese > (has_kana ? 0U : 1U)) return "Shift-JIS";
    if (count_pairs(bytes, kPairsOfHighBytes).value_or(0) > 1) return "GBK, EUC-JP or EUC-KR";
    if (count_pairs(bytes, kBig5OrGbk).value_or(0) > 1) return "GBK or Big5";
    return "Windows-1251 or another encoding of one byte";
  }
  return has_bytes(0x80, 0x9F) ? "Windows-1252" : "Latin-1 or Windows-1252";
}

/// Every second byte of Latin letters in UTF-16 is 0.
std::string_view guess_with_nul(std::string_view bytes) {
  std::array<std::size_t, 2> zeros = {0, 0};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\0') ++zeros[i % 2];
  }
  const std::size_t many = std::max<std::size_t>(bytes.size() / 8, 1);
  if (zeros[1] >= many && zeros[0] * 8 < zeros[1]) return "UTF-16 (LE)";
  if (zeros[0] >= many && zeros[1] * 8 < zeros[0]) return "UTF-16 (BE)";
  return "";
}

/// What stands at the fault: the bytes around it, as far as they are ASCII.
std::string quote_around(std::string_view bytes, std::size_t at) {
  constexpr std::size_t kReach = 20;
  const std::size_t before = bytes.substr(0, at).find_last_of("\r\n");
  const std::size_t line_begin = before == bytes.npos ? 0 : before + 1;
  const std::size_t begin = std::max(line_begin, at - std::min(at, kReach));
  const std::size_t end = std::min(bytes.find_first_of("\r\n", at), at + kReach);
  return in_quotes(bytes.substr(begin, end - begin));
}

// ------------------------------------------------------------------------------------ UTF-16

/// @param bytes without the mark
std::string from_utf16(std::string_view bytes, bool is_big_endian, const std::string& where) {
  std::string text;
  text.reserve(bytes.size());
  const auto unit = [&](std::size_t i) {
    const auto first = static_cast<unsigned char>(bytes[i]);
    const auto second = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<char32_t>(is_big_endian ? first << 8U | second : second << 8U | first);
  };
  const auto refuse = [&](const std::string& what) {
    fail(where, 1 + count_lines(text),
         "marked as UTF-16 but " + what + ", so it is damaged" + std::string(kAdvice));
  };
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    if (i + 1 == bytes.size()) refuse("ends within a character");
    char32_t character = unit(i);
    const bool is_high = character >= 0xD800 && character < 0xDC00;
    if (is_high && i + 3 < bytes.size() && unit(i + 2) >= 0xDC00 && unit(i + 2) < 0xE000) {
      character = 0x10000 + ((character - 0xD800) << 10U) + (unit(i + 2) - 0xDC00);
      i += 2;
    } else if (character >= 0xD800 && character < 0xE000) {
      refuse("with half a character");
    } else if (character == 0) {
      refuse("with NUL characters");
    }
    append_utf8(text, character);
  }
  return text;
}

/// The text that a byte-order mark introduces, in UTF-8; nothing where there is no mark.
std::optional<std::string> decode_marked(std::string_view bytes, const std::string& where) {
  for (const std::string_view mark : {kUtf32LittleMark, kUtf32BigMark}) {
    if (bytes.starts_with(mark)) fail(where, 1, "UTF-32, which is not read" + std::string(kAdvice));
  }
  for (const std::string_view mark : {kLittleEndianMark, kBigEndianMark}) {
    if (!bytes.starts_with(mark)) continue;
    return from_utf16(bytes.substr(mark.size()), mark == kBigEndianMark, where);
  }
  return std::nullopt;
}

}  // namespace

std::string describe_encoding_fault(std::string_view bytes) {
  const std::size_t at = find_fault(bytes);
  if (at == bytes.npos) return "";
  for (const Signature& signature : kSignatures) {
    if (bytes.starts_with(signature.bytes)) return "not a text but " + std::string(signature.what);
  }
  if (bytes.find('\0') == bytes.npos) {
    return "not UTF-8 but " + std::string(guess_encoding(bytes)) + ", by the look of it";
  }
  const std::string_view guess = guess_with_nul(bytes);
  if (guess.empty()) return "not a text but binary data";
  const bool has_mark = bytes.starts_with(kLittleEndianMark) || bytes.starts_with(kBigEndianMark);
  return "not UTF-8 but " + std::string(guess) + (has_mark ? "" : " without its mark") +
         ", by the look of it";
}

void require_utf8(std::string_view bytes, const std::string& where, std::size_t first_line) {
  const std::size_t at = find_fault(bytes);
  if (at == bytes.npos) return;
  const std::string fault = describe_encoding_fault(bytes);
  const bool is_text = fault.starts_with("not UTF-8");
  fail(where, first_line + count_lines(bytes.substr(0, at)),
       fault + (is_text ? ": " + quote_around(bytes, at) + std::string(kAdvice)
                        : "; expected text in UTF-8"));
}

std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const std::string bytes = read_file(path, max_bytes);
  if (auto decoded = decode_marked(bytes, path.string())) return *std::move(decoded);
  const std::string_view text = without_byte_order_mark(bytes);
  require_utf8(text, path.string());
  return std::string(text);
}

std::string read_marked_text_file(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  if (auto decoded = decode_marked(bytes, path.string())) return *std::move(decoded);
  return std::string(without_byte_order_mark(bytes));
}

}  // namespace sdx
