#include "prompt/weights.h"

#include "prompt/numbers.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr double kRoundBracketFactor = 1.1;

/// Brackets that are open at once. Each costs time for all that stands in it; a hundred are a
/// weight of 13,781, so deeper ones are text.
constexpr std::size_t kMaxOpenBrackets = 100;

/// Collects stretches of text while brackets open and close around them.
class WeightParser {
 public:
  explicit WeightParser(const PromptTokens& tokens) : tokens_(tokens) {}

  std::vector<WeightedText> parse() {
    for (std::size_t i = 0; i < tokens_.size();) i += read(i);
    for (const std::size_t start : round_) multiply(start, kRoundBracketFactor);
    for (const std::size_t start : square_) multiply(start, 1 / kRoundBracketFactor);
    return merged();
  }

 private:
  /// @return the number of tokens read.
  std::size_t read(std::size_t i) {
    const PromptToken& token = tokens_[i];
    switch (token.kind) {
      case TokenKind::kNetwork:  // taken out before
      case TokenKind::kText:
        add_text(token.text);
        return 1;
      case TokenKind::kBackslash:
        return 1;
      case TokenKind::kEscape:
        // AUTOMATIC1111 escapes brackets and the backslash here; an escaped colon still weights.
        if (token.text[1] == ':') return read_colon(i);
        texts_.push_back({token.text.substr(1)});
        return 1;
      case TokenKind::kMark:
        return read_mark(i);
      case TokenKind::kName:
        texts_.push_back({token.name, 1, false, true});
        return 1;
    }
    return 1;
  }

  std::size_t read_mark(std::size_t i) {
    const PromptToken& mark = tokens_[i];
    const bool may_open = round_.size() + square_.size() < kMaxOpenBrackets;
    if (mark.is_mark('(') && may_open) {
      round_.push_back(texts_.size());
    } else if (mark.is_mark('[') && may_open) {
      square_.push_back(texts_.size());
    } else if (mark.is_mark(':')) {
      return read_colon(i);
    } else if (mark.is_mark(')') && !round_.empty()) {
      close(round_, kRoundBracketFactor);
    } else if (mark.is_mark(']') && !square_.empty()) {
      close(square_, 1 / kRoundBracketFactor);
    } else {
      texts_.push_back({mark.text});
    }
    return 1;
  }

  /// ":1.3)" closes a bracket with a factor of its own; any other colon is text.
  std::size_t read_colon(std::size_t i) {
    const bool closes = !round_.empty() && i + 2 < tokens_.size() &&
                        tokens_[i + 1].kind == TokenKind::kText && tokens_[i + 2].is_mark(')');
    if (closes) {
      if (const auto factor = parse_factor(trim(tokens_[i + 1].text))) {
        close(round_, *factor);
        return 3;
      }
    }
    texts_.push_back({":"});
    return 1;
  }

  void add_text(std::string_view text) {
    const auto pieces = split_at_word(text, "BREAK");
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      std::string_view piece = pieces[k];
      if (k > 0) piece = without_blanks_at_start(piece);
      if (k + 1 < pieces.size()) piece = without_blanks_at_end(piece);
      texts_.push_back({std::string(piece), 1, k > 0});
    }
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
      const bool is_text = !result.empty() && !result.back().is_name && !next.is_name;
      if (is_text && !next.opens_chunk && result.back().weight == next.weight) {
        result.back().text += next.text;
      } else {
        result.push_back(next);
      }
    }
    if (result.empty()) result.push_back({});
    return result;
  }

  const PromptTokens& tokens_;
  std::vector<WeightedText> texts_;
  std::vector<std::size_t> round_;  ///< where the open brackets' texts begin
  std::vector<std::size_t> square_;
};

}  // namespace

std::optional<double> parse_factor(const std::string& text) {
  const std::size_t first = text.find_first_not_of("+-");
  const bool is_number = !text.empty() && first <= 1 && first != std::string::npos &&
                         text.find_first_not_of("0123456789.", first) == std::string::npos &&
                         text.find_first_of("0123456789", first) != std::string::npos &&
                         text.find('.') == text.rfind('.');
  if (!is_number) return std::nullopt;
  return parse_number(text);
}

std::vector<WeightedText> read_weights(const PromptTokens& tokens) {
  return WeightParser(tokens).parse();
}

}  // namespace sdx
