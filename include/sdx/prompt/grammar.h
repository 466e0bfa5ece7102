#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/enum_text.h"

namespace sdx {

/// How much of a prompt is more than text.
enum class Grammar {
  kA1111,  ///< AUTOMATIC1111's: weights, edits, alternation, AND, BREAK, escapes
  kPlain,  ///< nothing but `<Name>`: brackets and colons are text
};

template <>
inline constexpr std::array kEnumTexts<Grammar> = {EnumText{Grammar::kA1111, "a1111"},
                                                   EnumText{Grammar::kPlain, "plain"}};

/// A text and the last step, counted from 1, for which it holds.
struct PromptStage {
  int last_step = 0;
  std::string text;

  bool operator==(const PromptStage&) const = default;
};

/// What stands between two `AND`s: Σ weight × guidance × (prediction − unconditional).
struct PromptPart {
  double weight = 1;
  std::vector<PromptStage> stages;  ///< at least one; the last ends with the last step

  bool operator==(const PromptPart&) const = default;
};

/// The steps of a pass. In the second pass of a hires fix, step numbers and fractions go on from
/// the first: `[a:b:1.5]` changes in the middle of the second.
struct PromptSteps {
  int steps = 20;
  int steps_before = 0;  ///< of the first pass; 0 in the first
};

/// Splits a prompt at the word AND ("a :1.2 AND b"; a trailing ":1.2" is a part's weight even if it
/// is the only part), and resolves in each part the edits `[from:to:when]`, `[to:when]`,
/// `[from::when]` and the alternations `[a|b|c]`. `when` is a fraction of the steps if it has a
/// point, else a step. Brackets that are none of these stay text. As in AUTOMATIC1111, a `|` that
/// stands in no alternation makes its whole part plain text to edits.
/// Source: the documented rules and examples of AUTOMATIC1111's prompt_parser, version 1.10.
std::vector<PromptPart> parse_prompt(const std::string& prompt, Grammar grammar,
                                     const PromptSteps& steps);

/// A negative prompt: one part, in which AND and a trailing ":1.2" are text.
PromptPart parse_negative_prompt(const std::string& prompt, Grammar grammar,
                                 const PromptSteps& steps);

/// The text that holds in a step, counted from 0. AUTOMATIC1111 looks for the first stage with
/// step ≤ last_step, so the first stage has one step more than its number says, and so has this.
const std::string& text_at(const PromptPart& part, int step);

/// A stretch of text with one weight.
struct WeightedText {
  std::string text;
  double weight = 1;
  bool opens_chunk = false;  ///< a BREAK stands before it

  bool operator==(const WeightedText&) const = default;
};

/// Weights of a stage's text: `(x)` multiplies by 1.1, `[x]` divides by it, `(x:1.3)` sets the
/// factor; nested they multiply; what is not closed holds to the end; `\(` is a bracket. The word
/// BREAK begins a new chunk, within brackets too (where AUTOMATIC1111 1.10 reads it as text).
/// @return at least one, of which no two neighbours have the same weight but for a BREAK.
std::vector<WeightedText> parse_weights(const std::string& text, Grammar grammar);

}  // namespace sdx
