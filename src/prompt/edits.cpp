#include "prompt/edits.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "prompt/numbers.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// Blanks may stand around the number.
std::optional<EditTime> parse_time(const std::string& text) {
  const std::string number = trim(text);
  const bool is_number =
      !number.empty() && number.find_first_not_of("+-.0123456789eE") == std::string::npos;
  const std::size_t first_digit = number.find_first_of("0123456789");
  const std::size_t first_exponent = number.find_first_of("eE");
  if (!is_number || first_digit == std::string::npos || first_digit > first_exponent) return {};
  char* end = nullptr;
  std::strtod(number.c_str(), &end);
  if (end != number.c_str() + number.size()) return {};
  return EditTime{parse_number(number), number.find('.') != std::string::npos};
}

/// Recursive descent. Every function starts at `position_` and leaves it behind what it has read.
class EditParser {
 public:
  explicit EditParser(const PromptTokens& tokens) : tokens_(tokens) {}

  /// @return nothing if the whole is to be taken as it stands.
  std::optional<EditNodes> parse() {
    EditNodes nodes;
    while (position_ < tokens_.size()) {
      if (read_item(nodes)) continue;
      if (at('|') || tokens_[position_].kind != TokenKind::kMark) return {};
      nodes.push_back({{tokens_[position_++]}, nullptr, nullptr});
    }
    return nodes;
  }

 private:
  bool at(char mark) const {
    return position_ < tokens_.size() && tokens_[position_].is_mark(mark);
  }

  /// @return whether it stood there; it is added to `nodes`.
  bool take(char mark, EditNodes& nodes) {
    if (!at(mark)) return false;
    nodes.push_back({{tokens_[position_++]}, nullptr, nullptr});
    return true;
  }

  bool skip(char mark) {
    if (!at(mark)) return false;
    ++position_;
    return true;
  }

  /// Nested brackets are tried in more than one way; deeper than anyone writes, they are text.
  static constexpr int kMaxDepth = 12;

  /// @return whether there was one; if not, nothing has changed.
  bool read_item(EditNodes& nodes) {
    if (!at('(') && !at('[')) return read_plain(nodes);
    if (depth_ >= kMaxDepth) return false;
    const std::size_t start = position_;
    const std::size_t count = nodes.size();
    if (at('(') ? read_round(nodes) : read_square(nodes)) return true;
    position_ = start;
    nodes.resize(count);
    return false;
  }

  /// A backslash needs a letter to go with it: at the end of the prompt it is nothing plain.
  bool is_plain() const {
    const TokenKind kind = tokens_[position_].kind;
    const bool is_last = position_ + 1 == tokens_.size();
    return kind != TokenKind::kMark && !(kind == TokenKind::kBackslash && is_last);
  }

  bool read_plain(EditNodes& nodes) {
    PromptTokens plain;
    while (position_ < tokens_.size() && is_plain()) plain.push_back(tokens_[position_++]);
    if (plain.empty()) return false;
    nodes.push_back({std::move(plain), nullptr, nullptr});
    return true;
  }

  EditNodes read_prompt() {
    EditNodes nodes;
    ++depth_;
    while (position_ < tokens_.size() && read_item(nodes)) {
    }
    --depth_;
    return nodes;
  }

  static void add_all(EditNodes& nodes, const EditNodes& more) {
    nodes.insert(nodes.end(), more.begin(), more.end());
  }

  bool read_round(EditNodes& nodes) {
    take('(', nodes);
    add_all(nodes, read_prompt());
    if (take(':', nodes)) add_all(nodes, read_prompt());
    return take(')', nodes);
  }

  bool read_square(EditNodes& nodes) {
    EditNodes plain;
    take('[', plain);
    std::vector<EditNodes> pieces = {read_prompt()};
    if (at('|')) {
      while (skip('|')) pieces.push_back(read_prompt());
      nodes.push_back({{}, nullptr, std::make_shared<Alternation>(Alternation{pieces})});
      return skip(']');
    }
    if (at(']')) {
      add_all(plain, pieces.front());
      take(']', plain);
      add_all(nodes, plain);
      return true;
    }
    std::size_t last_piece = position_;
    while (skip(':')) {
      last_piece = position_;
      pieces.push_back(read_prompt());
    }
    const std::optional<EditTime> when = parse_time(text_between(last_piece, position_));
    if (!when || pieces.size() > 3 || !skip(']')) return false;
    pieces.pop_back();
    Edit edit;
    edit.after = pieces.back();
    if (pieces.size() == 2) edit.before = pieces.front();
    edit.when = *when;
    nodes.push_back({{}, std::make_shared<Edit>(std::move(edit)), nullptr});
    return true;
  }

  std::string text_between(std::size_t first, std::size_t end) const {
    std::string text;
    for (std::size_t i = first; i < end; ++i) text += tokens_[i].text;
    return text;
  }

  const PromptTokens& tokens_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

/// The last step before an edit: counted in the pass, from 1.
int last_step_before(const EditTime& when, const PromptSteps& steps) {
  const bool is_second_pass = steps.steps_before > 0;
  const double step = when.is_fraction ? (when.value - (is_second_pass ? 1 : 0)) * steps.steps
                                       : when.value - steps.steps_before;
  return static_cast<int>(std::clamp<double>(step, -1, steps.steps));
}

/// The steps with which a stage ends.
void collect_ends(const EditNodes& nodes, const PromptSteps& steps, std::set<int>& ends) {
  for (const EditNode& node : nodes) {
    if (node.edit) {
      const int last = last_step_before(node.edit->when, steps);
      if (last >= 1) ends.insert(last);
      collect_ends(node.edit->before, steps, ends);
      collect_ends(node.edit->after, steps, ends);
    }
    if (node.alternation) {
      for (int step = 1; step <= steps.steps; ++step) ends.insert(step);
    }
  }
}

void write_at(const EditNodes& nodes, int step, const PromptSteps& steps, PromptTokens& written) {
  for (const EditNode& node : nodes) {
    for (const PromptToken& token : node.tokens) append(written, token);
    if (node.edit) {
      const bool is_before = step <= last_step_before(node.edit->when, steps);
      write_at(is_before ? node.edit->before : node.edit->after, step, steps, written);
    }
    if (node.alternation) {
      const std::vector<EditNodes>& choices = node.alternation->choices;
      write_at(choices[static_cast<std::size_t>(step - 1) % choices.size()], step, steps, written);
    }
  }
}

}  // namespace

EditNodes parse_edits(const PromptTokens& tokens) {
  if (auto nodes = EditParser(tokens).parse()) return *std::move(nodes);
  return {{tokens, nullptr, nullptr}};
}

std::vector<EditStage> resolve_edits(const EditNodes& nodes, const PromptSteps& steps) {
  std::set<int> ends = {steps.steps};
  collect_ends(nodes, steps, ends);
  std::vector<EditStage> stages;
  for (const int end : ends) {
    stages.push_back({end, {}});
    write_at(nodes, end, steps, stages.back().tokens);
  }
  return stages;
}

}  // namespace sdx
