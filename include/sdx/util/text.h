#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// `parts` with `separator` between them.
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The pieces of `text` between separators, without blanks around them; empty pieces are left out.
std::vector<std::string> split_list(std::string_view text, char separator);

/// Whether a character is white space of ASCII: a blank, a tab or one that ends a line.
constexpr bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// `text` without white space at its ends.
std::string trim(std::string_view text);

/// `text` with its ASCII letters in lower case.
std::string lower_case(std::string_view text);

/// `text` without the byte-order mark that some editors put before UTF-8.
std::string_view without_byte_order_mark(std::string_view text);

/// `text` with `to` for each `from`; what was put in is not searched again.
/// @param from not empty.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// A name out of a foreign file, in quotes, for a message: cut to 80 characters, and everything but
/// printable ASCII a "?", so that it can neither flood nor command the terminal.
std::string in_quotes(std::string_view name);

/// Whether a byte of UTF-8 belongs to a word: ASCII letters and digits, "_", and all beyond ASCII,
/// which are letters mostly.
bool is_word_character(char c);

/// Letters to insert, remove or exchange to make `b` of `a` (Levenshtein's distance, by bytes,
/// ASCII case ignored).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Up to `most` of `known`, most like `word` first, by edit_distance.
std::vector<std::string> nearest_words(const std::string& word, std::vector<std::string> known,
                                       std::size_t most = 5);

/// `text` as part of a file name: lower-case ASCII letters and digits, everything else one "-", at
/// most `most` characters; never empty.
std::string slug(std::string_view text, std::size_t most = 40);

/// `text` as one argument in a shell script, which the program gets byte by byte, whatever is in
/// it: in single quotes where it needs any (POSIX, Shell Command Language, 2.2.2). `text` has no
/// NUL: no argument has one.
std::string shell_quoted(std::string_view text);

/// "1 row", "2 rows".
std::string count_in_words(std::size_t count, const char* one, const char* several);

/// Where `word` next stands as a word of its own in `text`, from `from` on: neither a letter nor a
/// digit touches it (is_word_character()). The end of a text is no letter.
/// @return std::string_view::npos if it stands nowhere.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from = 0);

}  // namespace sdx
