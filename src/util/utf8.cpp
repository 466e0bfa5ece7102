#include "sdx/util/utf8.h"

#include <utf8proc.h>

#include "sdx/util/text.h"

namespace sdx {

std::optional<char32_t> take_character(std::string_view& text) {
  utf8proc_int32_t character = 0;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(text.size()), &character);
  text.remove_prefix(length > 0 ? static_cast<std::size_t>(length) : 1);
  if (length < 1) return std::nullopt;
  return static_cast<char32_t>(character);
}

void append_utf8(std::string& text, char32_t character) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

std::u32string from_utf8(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  while (!text.empty()) characters += take_character(text).value_or(kReplacementCharacter);
  return characters;
}

std::string to_utf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t character : text) append_utf8(bytes, character);
  return bytes;
}

bool is_control_character(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character)) == UTF8PROC_CATEGORY_CC;
}

bool is_plain_text(std::string_view text) {
  while (!text.empty()) {
    const auto character = take_character(text);
    if (!character || is_control_character(*character)) return false;
  }
  return true;
}

std::string quote_text(std::string_view text) {
  constexpr std::size_t kMostShown = 200;
  if (!is_plain_text(text) || text.size() > kMostShown) return in_quotes(text);
  return '"' + std::string(text) + '"';
}

}  // namespace sdx
