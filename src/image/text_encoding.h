#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sdx {

// The encodings in which pictures hold text. Everything else in the program is UTF-8.

/// Valid UTF-8 without NUL: what is neither becomes U+FFFD. A prompt from the command line may be
/// anything.
std::string sanitised_utf8(std::string_view text);

/// Valid UTF-8 as Latin-1, or nothing if it has a letter that Latin-1 does not.
std::optional<std::string> to_latin1(std::string_view utf8);
std::string from_latin1(std::string_view latin1);

/// A text whose encoding should be Latin-1: several programs write UTF-8 there. Bytes that are
/// valid UTF-8 beyond ASCII hardly ever are Latin-1, so they are taken as UTF-8.
std::string from_latin1_or_utf8(std::string_view bytes);
/// Whether from_latin1_or_utf8() takes the bytes as UTF-8.
bool is_utf8_beyond_ascii(std::string_view bytes);

/// Valid UTF-8 as UTF-16, high bytes first, without a byte-order mark.
std::string to_utf16be(std::string_view utf8);
/// UTF-16 as sanitised UTF-8; halves of surrogate pairs and an odd last byte become U+FFFD.
std::string from_utf16(std::string_view bytes, bool high_byte_first);

}  // namespace sdx
