#include "image/text_encoding.h"

#include <cstdint>

#include "sdx/util/utf8.h"

namespace sdx {
namespace {

constexpr std::uint32_t kFirstBeyondPlane0 = 0x10000;

/// Takes the first code point of `utf8`, or one byte and U+FFFD where there is none.
std::uint32_t take_code_point(std::string_view& utf8) {
  return take_character(utf8).value_or(kReplacementCharacter);
}

bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

void append_unit(std::string& utf16, std::uint32_t unit) {
  utf16 += static_cast<char>(unit >> 8U);
  utf16 += static_cast<char>(unit & 0xFFU);
}

std::uint32_t unit_at(std::string_view bytes, std::size_t position, bool high_byte_first) {
  const auto first = static_cast<std::uint8_t>(bytes[position]);
  const auto second = static_cast<std::uint8_t>(bytes[position + 1]);
  return high_byte_first ? (std::uint32_t{first} << 8U) | second
                         : (std::uint32_t{second} << 8U) | first;
}

}  // namespace

std::string sanitised_utf8(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::uint32_t code_point = take_code_point(text);
    append_utf8(clean, code_point == 0 ? kReplacementCharacter : code_point);
  }
  return clean;
}

std::optional<std::string> to_latin1(std::string_view utf8) {
  std::string latin1;
  while (!utf8.empty()) {
    const std::uint32_t code_point = take_code_point(utf8);
    if (code_point > 0xFF) return std::nullopt;
    latin1 += static_cast<char>(code_point);
  }
  return latin1;
}

std::string from_latin1(std::string_view latin1) {
  std::string utf8;
  for (const char letter : latin1) append_utf8(utf8, static_cast<std::uint8_t>(letter));
  return utf8;
}

bool is_utf8_beyond_ascii(std::string_view bytes) {
  bool is_beyond = false;
  while (!bytes.empty()) {
    const auto character = take_character(bytes);
    if (!character) return false;
    is_beyond = is_beyond || *character > 0x7F;
  }
  return is_beyond;
}

std::string from_latin1_or_utf8(std::string_view bytes) {
  return is_utf8_beyond_ascii(bytes) ? sanitised_utf8(bytes) : from_latin1(bytes);
}

std::string to_utf16be(std::string_view utf8) {
  std::string utf16;
  while (!utf8.empty()) {
    const std::uint32_t code_point = take_code_point(utf8);
    if (code_point < kFirstBeyondPlane0) {
      append_unit(utf16, code_point);
    } else {
      const std::uint32_t rest = code_point - kFirstBeyondPlane0;
      append_unit(utf16, 0xD800U + (rest >> 10U));
      append_unit(utf16, 0xDC00U + (rest & 0x3FFU));
    }
  }
  return utf16;
}

std::string from_utf16(std::string_view bytes, bool high_byte_first) {
  std::string utf8;
  std::size_t position = 0;
  for (; position + 1 < bytes.size(); position += 2) {
    std::uint32_t code_point = unit_at(bytes, position, high_byte_first);
    if (is_high_surrogate(code_point) && position + 3 < bytes.size()) {
      const std::uint32_t low = unit_at(bytes, position + 2, high_byte_first);
      if (is_low_surrogate(low)) {
        code_point = kFirstBeyondPlane0 + ((code_point - 0xD800U) << 10U) + (low - 0xDC00U);
        position += 2;
      }
    }
    if (code_point == 0 || is_high_surrogate(code_point) || is_low_surrogate(code_point)) {
      code_point = kReplacementCharacter;
    }
    append_utf8(utf8, code_point);
  }
  if (position < bytes.size()) append_utf8(utf8, kReplacementCharacter);
  return utf8;
}

}  // namespace sdx
