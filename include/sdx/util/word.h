#pragma once

#include <cstddef>
#include <string_view>

namespace sdx {

/// Where `word` next stands as a word of its own in `text`, from `from` on: neither a letter nor a
/// digit touches it (is_word_character()). The end of a text is no letter.
/// @return std::string_view::npos if it stands nowhere.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from = 0);

}  // namespace sdx
