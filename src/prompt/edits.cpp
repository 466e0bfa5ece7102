#include "edits.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "sdx/util/text.h"

namespace sdx {

namespace {

struct Edit;
struct Alternation;

/// A stretch of the prompt: text as it stands, or something that changes from step to step.
struct Node {
  std::string text;
  std::shared_ptr<const Edit> edit;
  std::shared_ptr<const Alternation> alternation;
};

using Nodes = std::vector<Node>;

struct Edit {
  Nodes before;
  Nodes after;
  int last_step_before = 0;
};

struct Alternation {
  std::vector<Nodes> choices;
};

/// The number of an edit, blanks around it.
struct When {
  double value = 0;
  bool is_fraction = false;
};

std::optional<When> parse_when(std::string_view text) {
  const std::string number = trim(text);
  const bool is_number =
      !number.empty() && number.find_first_not_of("+-.0123456789eE") == std::string::npos;
  const std::size_t first_digit = number.find_first_of("0123456789");
  const std::size_t first_exponent = number.find_first_of("eE");
  if (!is_number || first_digit == std::string::npos || first_digit > first_exponent) return {};
  std::size_t used = 0;
  try {
    const double value = std::stod(number, &used);
    if (used != number.size()) return {};
    return When{value, number.find('.') != std::string::npos};
  } catch (const std::logic_error&) {
    return {};
  }
}

/// Recursive descent. Every function starts at `position_` and leaves it behind what it has read.
class EditParser {
 public:
  EditParser(const std::string& text, const PromptSteps& steps) : text_(text), steps_(steps) {}

  /// @return nothing if the whole is to be taken as it stands.
  std::optional<Nodes> parse() {
    Nodes nodes;
    while (position_ < text_.size()) {
      if (read_item(nodes)) continue;
      if (std::string_view("[]():").find(text_[position_]) == std::string_view::npos) return {};
      nodes.push_back({std::string(1, text_[position_++]), nullptr, nullptr});
    }
    return nodes;
  }

 private:
  bool at(char c) const { return position_ < text_.size() && text_[position_] == c; }

  bool take(char c) {
    if (!at(c)) return false;
    ++position_;
    return true;
  }

  /// Nested brackets are tried in more than one way; deeper than anyone writes, they are text.
  static constexpr int kMaxDepth = 12;

  /// @return whether there was one; if not, nothing has changed.
  bool read_item(Nodes& nodes) {
    if (!at('(') && !at('[')) return read_plain(nodes);
    if (depth_ >= kMaxDepth) return false;
    const std::size_t start = position_;
    const std::size_t count = nodes.size();
    if (at('(') ? read_round(nodes) : read_square(nodes)) return true;
    position_ = start;
    nodes.resize(count);
    return false;
  }

  bool read_plain(Nodes& nodes) {
    const std::size_t start = position_;
    while (position_ < text_.size()) {
      if (text_[position_] == '\\') {
        if (position_ + 1 == text_.size()) break;
        position_ += 2;
      } else if (std::string_view("[]():|").find(text_[position_]) != std::string_view::npos) {
        break;
      } else {
        ++position_;
      }
    }
    if (position_ == start) return false;
    nodes.push_back({text_.substr(start, position_ - start), nullptr, nullptr});
    return true;
  }

  Nodes read_prompt() {
    Nodes nodes;
    ++depth_;
    while (position_ < text_.size() && read_item(nodes)) {
    }
    --depth_;
    return nodes;
  }

  static void append(Nodes& nodes, const Nodes& more) {
    nodes.insert(nodes.end(), more.begin(), more.end());
  }

  bool read_round(Nodes& nodes) {
    take('(');
    nodes.push_back({"(", nullptr, nullptr});
    append(nodes, read_prompt());
    if (take(':')) {
      nodes.push_back({":", nullptr, nullptr});
      append(nodes, read_prompt());
    }
    nodes.push_back({")", nullptr, nullptr});
    return take(')');
  }

  bool read_square(Nodes& nodes) {
    take('[');
    std::vector<Nodes> pieces = {read_prompt()};
    if (at('|')) {
      while (take('|')) pieces.push_back(read_prompt());
      nodes.push_back({"", nullptr, std::make_shared<Alternation>(Alternation{pieces})});
      return take(']');
    }
    if (take(']')) {
      nodes.push_back({"[", nullptr, nullptr});
      append(nodes, pieces.front());
      nodes.push_back({"]", nullptr, nullptr});
      return true;
    }
    std::size_t last_piece = position_;
    while (at(':')) {
      last_piece = ++position_;
      pieces.push_back(read_prompt());
    }
    const std::string_view number =
        std::string_view(text_).substr(last_piece, position_ - last_piece);
    const std::optional<When> when = parse_when(number);
    if (!when || pieces.size() > 3 || !take(']')) return false;
    pieces.pop_back();
    Edit edit;
    edit.after = pieces.back();
    if (pieces.size() == 2) edit.before = pieces.front();
    edit.last_step_before = last_step(*when);
    nodes.push_back({"", std::make_shared<Edit>(std::move(edit)), nullptr});
    return true;
  }

  int last_step(const When& when) const {
    const bool is_second_pass = steps_.steps_before > 0;
    const double step = when.is_fraction ? (when.value - (is_second_pass ? 1 : 0)) * steps_.steps
                                         : when.value - steps_.steps_before;
    return static_cast<int>(std::clamp<double>(step, -1, steps_.steps));
  }

  const std::string& text_;
  PromptSteps steps_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

/// The steps with which a stage ends.
void collect_ends(const Nodes& nodes, int steps, std::set<int>& ends) {
  for (const Node& node : nodes) {
    if (node.edit) {
      if (node.edit->last_step_before >= 1) ends.insert(node.edit->last_step_before);
      collect_ends(node.edit->before, steps, ends);
      collect_ends(node.edit->after, steps, ends);
    }
    if (node.alternation) {
      for (int step = 1; step <= steps; ++step) ends.insert(step);
    }
  }
}

void write_at(const Nodes& nodes, int step, std::string& text) {
  for (const Node& node : nodes) {
    text += node.text;
    if (node.edit) {
      const bool is_before = step <= node.edit->last_step_before;
      write_at(is_before ? node.edit->before : node.edit->after, step, text);
    }
    if (node.alternation) {
      const std::vector<Nodes>& choices = node.alternation->choices;
      write_at(choices[static_cast<std::size_t>(step - 1) % choices.size()], step, text);
    }
  }
}

}  // namespace

std::vector<PromptStage> resolve_edits(const std::string& text, const PromptSteps& steps) {
  const std::optional<Nodes> nodes = EditParser(text, steps).parse();
  if (!nodes) return {{steps.steps, text}};
  std::set<int> ends = {steps.steps};
  collect_ends(*nodes, steps.steps, ends);
  std::vector<PromptStage> stages;
  for (const int end : ends) {
    stages.push_back({end, ""});
    write_at(*nodes, end, stages.back().text);
  }
  return stages;
}

}  // namespace sdx
