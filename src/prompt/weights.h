#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "prompt/lexer.h"

namespace sdx {

/// A number as AUTOMATIC1111 reads weights: "+1.2", ".5", "1."; "1.5." and "1e3" are none.
/// @throws UsageError for a number beyond a double's range.
std::optional<double> parse_factor(const std::string& text);

/// A stretch of text with one weight.
struct WeightedText {
  std::string text;  ///< without escapes
  double weight = 1;
  bool opens_chunk = false;  ///< a BREAK stands before it
  bool is_name = false;      ///< the text is the name of an embedding, nothing in it is read again

  bool operator==(const WeightedText&) const = default;
};

/// Weights of a text with one meaning: `(x)` multiplies by 1.1, `[x]` divides by it, `(x:1.3)` sets
/// the factor; nested they multiply; what is not closed holds to the end; `\(` is a bracket. The
/// word BREAK begins a new chunk, within brackets too (where AUTOMATIC1111 1.10 reads it as text).
/// @return at least one; no two neighbours have the same weight but for a BREAK or a name.
std::vector<WeightedText> read_weights(const PromptTokens& tokens);

}  // namespace sdx
