#pragma once

#include <array>
#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/enum_text.h"

namespace sdx {

class EmbeddingSizes;

/// How much of a prompt is more than text.
enum class Grammar {
  kA1111,  ///< AUTOMATIC1111's: weights, edits, alternation, AND, BREAK, escapes
  kPlain,  ///< nothing but `<Name>`: brackets and colons are text
};

template <>
inline constexpr std::array kEnumTexts<Grammar> = {EnumText<Grammar>{Grammar::kA1111, "a1111"},
                                                   EnumText<Grammar>{Grammar::kPlain, "plain"}};

/// A stretch of a prompt with one weight: text, or the name of an embedding.
struct PromptSegment {
  std::string text;  ///< without escapes; of a placeholder the name, without "<" and ">"
  double weight = 1;
  bool opens_chunk = false;  ///< a BREAK stands before it
  bool is_placeholder = false;

  bool operator==(const PromptSegment&) const = default;
};

/// A text with one meaning, and what is read in it.
struct PromptText {
  std::string text;  ///< as it was written, brackets included
  Grammar grammar = Grammar::kPlain;
  /// Weights: `(x)` multiplies by 1.1, `[x]` divides by it, `(x:1.3)` sets the factor; nested they
  /// multiply; what is not closed holds to the end; `\(` is a bracket. The word BREAK begins a new
  /// chunk, within brackets too (where AUTOMATIC1111 1.10 reads it as text). Empty texts are left
  /// out unless a BREAK stands before them.
  std::vector<PromptSegment> segments;

  bool operator==(const PromptText&) const = default;
};

/// Reads weights, placeholders and BREAKs. AND, edits and alternations are text. `<lora:…>` is
/// taken out, see list_networks(): it is no text in any grammar.
///
/// `<Name>` is found before anything else is: the name of a known embedding may have blanks,
/// brackets and other marks in it. Any other name has no blanks, and what marks there are in it
/// mean what they mean elsewhere. A special token of a tokenizer, such as "<|endoftext|>", is text.
/// @param known embeddings by name; what is between brackets and no name stays text
/// @throws UsageError for a number beyond a double's range.
PromptText parse_text(const std::string& text, Grammar grammar, const EmbeddingSizes& known);
/// The same where no embedding is known.
PromptText parse_text(const std::string& text, Grammar grammar);

/// A stage of a prompt: the text that holds up to a step.
struct PromptStage {
  int last_step = 0;  ///< counted from 1
  PromptText prompt;

  bool operator==(const PromptStage&) const = default;
};

/// A part of a prompt, between two `AND`s: Σ weight × guidance × (prediction − unconditional).
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

  auto operator<=>(const PromptSteps&) const = default;
};

enum class PromptRole {
  kPositive,  ///< says what is to be seen
  kNegative,  ///< says what is not; it is one part, in which AND and a trailing ":1.2" are text
};

/// A prompt that has been read: its parts, and in each part the edits and alternations. What these
/// make of it depends on the steps of a pass; see parts(). Copies share what was read.
class ParsedPrompt {
 public:
  /// The parts for a pass, at least one: edits and alternations resolved into the texts that hold
  /// one after the other.
  std::vector<PromptPart> parts(const PromptSteps& steps) const;

 private:
  friend ParsedPrompt parse_prompt(const std::string& text, Grammar grammar, PromptRole role,
                                   const EmbeddingSizes& known);

  struct Tree;
  explicit ParsedPrompt(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}

  std::shared_ptr<const Tree> tree_;
};

/// Splits a prompt at the word AND ("a :1.2 AND b"; a trailing ":1.2" is a part's weight even if it
/// is the only part), and reads in each part the edits `[from:to:when]`, `[to:when]`,
/// `[from::when]` and the alternations `[a|b|c]`. `when` is a fraction of the steps if it has a
/// point, else a step. Brackets that are none of these stay text. As in AUTOMATIC1111, a `|` that
/// stands in no alternation makes its whole part plain text to edits.
/// Source: the documented rules and examples of AUTOMATIC1111's prompt_parser, version 1.10.
/// @param known as in parse_text(); needed here only, the parsed prompt keeps the names
/// @throws as parse_text
ParsedPrompt parse_prompt(const std::string& text, Grammar grammar, PromptRole role,
                          const EmbeddingSizes& known);
/// The same where no embedding is known.
ParsedPrompt parse_prompt(const std::string& text, Grammar grammar,
                          PromptRole role = PromptRole::kPositive);

/// The text that holds in a step, counted from 0. AUTOMATIC1111 looks for the first stage with
/// step ≤ last_step, so the first stage has one step more than its number says, and so has this.
const PromptText& text_at(const PromptPart& part, int step);

}  // namespace sdx
