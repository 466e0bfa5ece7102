#include "sdx/prompt/grammar.h"

#include <cctype>
#include <optional>
#include <utility>

#include "edits.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr double kRoundBracketFactor = 1.1;

/// Where `word` next stands as a word of its own, or npos.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t at = text.find(word, from); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_word_character(text[at - 1]);
    if (begins && (end == text.size() || !is_word_character(text[end]))) return at;
  }
  return std::string_view::npos;
}

std::vector<std::string_view> split_at_word(std::string_view text, std::string_view word) {
  std::vector<std::string_view> pieces;
  std::size_t start = 0;
  for (std::size_t at = find_word(text, word, 0); at != std::string_view::npos;
       at = find_word(text, word, start)) {
    pieces.push_back(text.substr(start, at - start));
    start = at + word.size();
  }
  pieces.push_back(text.substr(start));
  return pieces;
}

std::string_view without_blanks_at_start(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view without_blanks_at_end(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// "+1.2", ".5", "1."; "1.5." and "1e3" are none.
std::optional<double> parse_factor(const std::string& text) {
  const std::size_t first = text.find_first_not_of("+-");
  const bool is_number = !text.empty() && first <= 1 && first != std::string::npos &&
                         text.find_first_not_of("0123456789.", first) == std::string::npos &&
                         text.find_first_of("0123456789", first) != std::string::npos &&
                         text.find('.') == text.rfind('.');
  if (!is_number) return std::nullopt;
  return std::stod(text);
}

/// Text and weight of what stands between two ANDs.
std::pair<std::string, double> split_part_weight(std::string_view part) {
  const std::string_view text = without_blanks_at_end(part);
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    if (const auto weight = parse_factor(trim(text.substr(colon + 1)))) {
      return {std::string(without_blanks_at_end(text.substr(0, colon))), *weight};
    }
  }
  return {std::string(text), 1.0};
}

/// Collects stretches of text while brackets open and close around them.
class WeightParser {
 public:
  explicit WeightParser(const std::string& text) : text_(text) {}

  std::vector<WeightedText> parse() {
    for (std::size_t i = 0; i < text_.size();) i += read(i);
    for (const std::size_t start : round_) multiply(start, kRoundBracketFactor);
    for (const std::size_t start : square_) multiply(start, 1 / kRoundBracketFactor);
    return merged();
  }

 private:
  /// @return the number of characters read.
  std::size_t read(std::size_t i) {
    const char c = text_[i];
    if (c == '\\') {
      const bool escapes = i + 1 < text_.size() &&
                           std::string_view("()[]\\").find(text_[i + 1]) != std::string::npos;
      if (escapes) texts_.push_back({std::string(1, text_[i + 1])});
      return escapes ? 2 : 1;
    }
    if (c == '(') {
      round_.push_back(texts_.size());
    } else if (c == '[') {
      square_.push_back(texts_.size());
    } else if (c == ':') {
      return read_colon(i);
    } else if (c == ')' && !round_.empty()) {
      close(round_, kRoundBracketFactor);
    } else if (c == ']' && !square_.empty()) {
      close(square_, 1 / kRoundBracketFactor);
    } else if (c == ')' || c == ']') {
      texts_.push_back({std::string(1, c)});
    } else {
      return read_plain(i);
    }
    return 1;
  }

  /// ":1.3)" closes a bracket with a factor of its own; any other colon is text.
  std::size_t read_colon(std::size_t i) {
    const std::size_t end = text_.find(')', i);
    if (end != std::string::npos && !round_.empty()) {
      if (const auto factor = parse_factor(trim(text_.substr(i + 1, end - i - 1)))) {
        close(round_, *factor);
        return end + 1 - i;
      }
    }
    texts_.push_back({":"});
    return 1;
  }

  std::size_t read_plain(std::size_t i) {
    const std::size_t end = std::min(text_.find_first_of("\\()[]:", i), text_.size());
    const auto pieces = split_at_word(std::string_view(text_).substr(i, end - i), "BREAK");
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      std::string_view piece = pieces[k];
      if (k > 0) piece = without_blanks_at_start(piece);
      if (k + 1 < pieces.size()) piece = without_blanks_at_end(piece);
      texts_.push_back({std::string(piece), 1, k > 0});
    }
    return end - i;
  }

  void multiply(std::size_t start, double factor) {
    for (std::size_t k = start; k < texts_.size(); ++k) texts_[k].weight *= factor;
  }

  void close(std::vector<std::size_t>& brackets, double factor) {
    multiply(brackets.back(), factor);
    brackets.pop_back();
  }

  std::vector<WeightedText> merged() const {
    std::vector<WeightedText> result;
    for (const WeightedText& next : texts_) {
      if (!result.empty() && !next.opens_chunk && result.back().weight == next.weight) {
        result.back().text += next.text;
      } else {
        result.push_back(next);
      }
    }
    if (result.empty()) result.push_back({});
    return result;
  }

  const std::string& text_;
  std::vector<WeightedText> texts_;
  std::vector<std::size_t> round_;  ///< where the open brackets' texts begin
  std::vector<std::size_t> square_;
};

}  // namespace

std::vector<PromptPart> parse_prompt(const std::string& prompt, Grammar grammar,
                                     const PromptSteps& steps) {
  if (grammar == Grammar::kPlain) return {parse_negative_prompt(prompt, grammar, steps)};
  std::vector<PromptPart> parts;
  for (const std::string_view piece : split_at_word(prompt, "AND")) {
    const auto [text, weight] = split_part_weight(piece);
    parts.push_back({weight, resolve_edits(text, steps)});
  }
  return parts;
}

PromptPart parse_negative_prompt(const std::string& prompt, Grammar grammar,
                                 const PromptSteps& steps) {
  if (grammar == Grammar::kPlain) return {1, {{steps.steps, prompt}}};
  return {1, resolve_edits(prompt, steps)};
}

const std::string& text_at(const PromptPart& part, int step) {
  for (const PromptStage& stage : part.stages) {
    if (step <= stage.last_step) return stage.text;
  }
  return part.stages.back().text;
}

std::vector<WeightedText> parse_weights(const std::string& text, Grammar grammar) {
  if (grammar == Grammar::kPlain) return {{text}};
  return WeightParser(text).parse();
}

}  // namespace sdx
