#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/embedding/embedding_sizes.h"

namespace sdx {

/// A stretch of a text: plain, or the name of an embedding.
struct Segment {
  std::string text;
  bool is_placeholder;
};

/// A `<Name>` in a text.
struct Placeholder {
  std::size_t length = 0;  ///< with its brackets; 0: there is none
  std::string name;
  /// Its name has a blank, or a mark or word of the prompt grammar, which here is a letter.
  bool is_unusual = false;
};

/// The `<Name>` that begins at `start`.
///
/// A name of `known` may have anything but "<" and ">" in it, and a backslash before a bracket is
/// no letter of it. Any other name has no blanks and is no special token of a tokenizer: "</s>" and
/// "<|endoftext|>" are text.
Placeholder find_placeholder(std::string_view text, std::size_t start, const EmbeddingSizes& known);

/// The names of `known` that stand in a text, each as a planned embedding without vectors: all that
/// reading the text needs to know of `known`.
std::map<std::string, int> list_known_names(std::string_view text, const EmbeddingSizes& known);

/// `<lora:…>` is left out. @return none with an empty text.
std::vector<Segment> split_segments(const std::string& text, const EmbeddingSizes& known);

}  // namespace sdx
