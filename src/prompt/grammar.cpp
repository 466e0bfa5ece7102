#include "sdx/prompt/grammar.h"

#include <optional>
#include <utility>

#include "prompt/edits.h"
#include "prompt/lexer.h"
#include "prompt/placeholders.h"
#include "prompt/weights.h"
#include "sdx/embedding/embedding_sizes.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// What stands between two ANDs.
struct Part {
  double weight = 1;
  EditNodes nodes;
};

std::vector<PromptTokens> split_at_and(const PromptTokens& tokens) {
  std::vector<PromptTokens> parts(1);
  for (const PromptToken& token : tokens) {
    if (token.kind != TokenKind::kText) {
      parts.back().push_back(token);
      continue;
    }
    const auto pieces = split_at_word(token.text, "AND");
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (i > 0) parts.emplace_back();
      if (!pieces[i].empty()) parts.back().push_back({TokenKind::kText, std::string(pieces[i])});
    }
  }
  return parts;
}

void trim_end(PromptTokens& tokens) {
  if (tokens.empty() || tokens.back().kind != TokenKind::kText) return;
  std::string& text = tokens.back().text;
  text.resize(without_blanks_at_end(text).size());
  if (text.empty()) tokens.pop_back();
}

/// Removes the weight behind the last colon, escaped or not: AUTOMATIC1111 knows no escapes here.
/// @return 1 if there is none.
double take_part_weight(PromptTokens& tokens) {
  trim_end(tokens);
  std::size_t colon = tokens.size();
  while (colon > 0 && tokens[colon - 1].text.back() != ':') --colon;
  if (colon == 0) return 1;
  const PromptTokens behind(tokens.begin() + static_cast<std::ptrdiff_t>(colon), tokens.end());
  const std::optional<double> weight = parse_factor(trim(written(behind)));
  if (!weight) return 1;
  const bool was_escaped = tokens[colon - 1].kind == TokenKind::kEscape;
  tokens.resize(colon - 1);
  if (was_escaped) tokens.push_back({TokenKind::kBackslash, "\\"});
  trim_end(tokens);
  return *weight;
}

/// The stretches of a text in which nothing but names is more than text.
std::vector<WeightedText> read_plain(const PromptTokens& tokens) {
  std::vector<WeightedText> stretches;
  for (const PromptToken& token : tokens) {
    const bool is_name = token.kind == TokenKind::kName;
    stretches.push_back({is_name ? token.name : token.text, 1, false, is_name});
  }
  return stretches;
}

/// @param tokens of `text`
PromptText read_text(std::string text, Grammar grammar, const PromptTokens& tokens,
                     const EmbeddingSizes& known) {
  PromptText read = {std::move(text), grammar, {}};
  const std::vector<WeightedText> stretches =
      grammar == Grammar::kPlain ? read_plain(tokens) : read_weights(tokens);
  for (const WeightedText& stretch : stretches) {
    bool opens_chunk = stretch.opens_chunk;
    if (stretch.is_name) {
      read.segments.push_back({stretch.text, stretch.weight, opens_chunk, true});
      continue;
    }
    for (Segment& segment : split_segments(stretch.text, known)) {
      read.segments.push_back({std::move(segment.text), stretch.weight,
                               std::exchange(opens_chunk, false), segment.is_placeholder});
    }
    if (opens_chunk) read.segments.push_back({"", stretch.weight, true, false});
  }
  return read;
}

}  // namespace

struct ParsedPrompt::Tree {
  PromptText plain;         ///< with Grammar::kPlain the whole prompt
  std::vector<Part> parts;  ///< with kA1111
  EmbeddingSizes names;     ///< of the known ones those that stand in it
};

PromptText parse_text(const std::string& text, Grammar grammar, const EmbeddingSizes& known) {
  const PromptTokens tokens =
      without_networks(grammar == Grammar::kPlain ? lex_plain(text, known) : lex(text, known));
  return read_text(written(tokens), grammar, tokens, known);
}

PromptText parse_text(const std::string& text, Grammar grammar) {
  return parse_text(text, grammar, {});
}

ParsedPrompt parse_prompt(const std::string& text, Grammar grammar, PromptRole role,
                          const EmbeddingSizes& known) {
  auto tree = std::make_shared<ParsedPrompt::Tree>();
  if (grammar == Grammar::kPlain) {
    tree->plain = parse_text(text, grammar, known);
    return ParsedPrompt(std::move(tree));
  }
  tree->names = EmbeddingSizes(list_known_names(text, known));
  const PromptTokens all = without_networks(lex(text, known));
  if (role == PromptRole::kNegative) {
    tree->parts.push_back({1, parse_edits(all)});
  } else {
    for (PromptTokens& tokens : split_at_and(all)) {
      const double weight = take_part_weight(tokens);
      tree->parts.push_back({weight, parse_edits(tokens)});
    }
  }
  return ParsedPrompt(std::move(tree));
}

ParsedPrompt parse_prompt(const std::string& text, Grammar grammar, PromptRole role) {
  return parse_prompt(text, grammar, role, {});
}

std::vector<PromptPart> ParsedPrompt::parts(const PromptSteps& steps) const {
  if (tree_->parts.empty()) return {{1, {{steps.steps, tree_->plain}}}};
  std::vector<PromptPart> parts;
  for (const Part& part : tree_->parts) {
    PromptPart& resolved = parts.emplace_back();
    resolved.weight = part.weight;
    for (const EditStage& stage : resolve_edits(part.nodes, steps)) {
      resolved.stages.push_back({stage.last_step, read_text(written(stage.tokens), Grammar::kA1111,
                                                            stage.tokens, tree_->names)});
    }
  }
  return parts;
}

const PromptText& text_at(const PromptPart& part, int step) {
  for (const PromptStage& stage : part.stages) {
    if (step <= stage.last_step) return stage.prompt;
  }
  return part.stages.back().prompt;
}

}  // namespace sdx
