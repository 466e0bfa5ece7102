#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// A short part of a file's name that says what a text says: letters and digits of every script,
/// A to Z as small letters, with a hyphen for each run of anything else: "漢字-in-the-snow".
/// @param text  a prompt, in UTF-8; bytes that are no character count as anything else
/// @param names stand in it, as they are, even if the text is cut off before them, so that pictures
///              of several people have different names
/// @param most  characters of the text, 1 or more
/// @return      at most about 4 · most bytes and the names; "picture" if nothing can be seen
std::string make_file_name(std::string_view text, const std::vector<std::string>& names = {},
                           std::size_t most = 40);

}  // namespace sdx
