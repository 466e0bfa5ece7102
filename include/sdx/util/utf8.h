#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sdx {

/// What stands for bytes that are no UTF-8.
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

/// Takes the first character from `text`. Where its bytes are no valid UTF-8, one byte is taken.
/// @param text not empty.
/// @return     nothing for a byte that is part of no character.
std::optional<char32_t> take_character(std::string_view& text);

/// Appends a character to a text in UTF-8.
void append_utf8(std::string& text, char32_t character);

/// UTF-8 → code points. Each byte that is part of no valid character becomes U+FFFD.
std::u32string from_utf8(std::string_view text);
/// Code points → UTF-8.
std::string to_utf8(std::u32string_view text);

/// Whether a character is one of Unicode's control characters (category Cc).
bool is_control_character(char32_t character);

/// Whether a text can be shown in one line: UTF-8 without control characters.
bool is_plain_text(std::string_view text);

/// A text that somebody typed, in quotes, for a message: its letters as they are. One that is no
/// plain text, or has more than 200 bytes, is shown as in_quotes() shows it.
std::string quote_text(std::string_view text);

}  // namespace sdx
