#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// A stretch of a text: plain, or the name of an embedding.
struct Segment {
  std::string text;
  bool is_placeholder;
};

/// The length of the `<Name>` that begins at `start`, or 0. A name has no blanks and no "<" or ">".
std::size_t placeholder_length(std::string_view text, std::size_t start);

/// @return none with an empty text.
std::vector<Segment> split_segments(const std::string& text);

}  // namespace sdx
