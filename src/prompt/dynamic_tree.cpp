#include "prompt/dynamic_tree.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

#include "prompt/lexer.h"
#include "prompt/numbers.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr int kMaxDepth = 100;
constexpr std::uint64_t kCountless = std::numeric_limits<std::uint64_t>::max();
// 21! is more than 64 bits hold, so more of anything cannot be counted.
constexpr std::size_t kCountableItems = 20;

constexpr std::string_view kSpecial = "{}|_\\";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? kCountless : result;
}

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? kCountless : result;
}

std::uint64_t multiply_combinations(const Choice& choice) {
  if (choice.most > kCountableItems) return kCountless;
  // sets[k]: the sum over all sets of k options of the products of their counts.
  std::vector<std::uint64_t> sets(choice.most + 1, 0);
  sets[0] = 1;
  for (const Option& option : choice.options) {
    const std::uint64_t count = multiply_combinations(option.phrase);
    for (std::size_t k = choice.most; k >= 1; --k)
      sets[k] = sum(sets[k], product(sets[k - 1], count));
  }
  std::uint64_t total = 0;
  std::uint64_t orders = 1;
  for (std::size_t k = 0; k <= choice.most; ++k) {
    if (k > 0) orders = product(orders, k);
    if (k >= choice.least) total = sum(total, product(orders, sets[k]));
  }
  return total;
}

/// For each `{` of a text the place of its `}`; npos where there is none, and for other letters.
std::vector<std::size_t> closing_braces(std::string_view text) {
  std::vector<std::size_t> closing(text.size(), std::string_view::npos);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_escape(text, i, kSpecial)) {
      ++i;
    } else if (text[i] == '{') {
      open.push_back(i);
    } else if (text[i] == '}' && !open.empty()) {
      closing[open.back()] = i;
      open.pop_back();
    }
  }
  return closing;
}

/// Length of the wildcard `__name__` that `text` begins with, or 0.
std::size_t wildcard_length(std::string_view text) {
  constexpr std::string_view kFence = "__";
  if (!text.starts_with(kFence)) return 0;
  const std::size_t end = text.find(kFence, kFence.size());
  if (end == text.npos || end == kFence.size()) return 0;
  const std::string_view name = text.substr(kFence.size(), end - kFence.size());
  const auto fits = [](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
                           static_cast<unsigned char>(c) >= 0x80;
    return is_letter || std::string_view("-_/.*? ").find(c) != std::string_view::npos;
  };
  if (!std::all_of(name.begin(), name.end(), fits) || name.front() == ' ' || name.back() == ' ') {
    return 0;
  }
  return end + kFence.size();
}

/// How many options are taken, as it stands at the beginning of a group; what is read is removed.
struct Bounds {
  std::size_t least = 1;
  std::size_t most = std::numeric_limits<std::size_t>::max();
  std::string separator = ",";
};

std::optional<std::size_t> take_number(std::string_view& text) {
  std::size_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  // More than there can be is all that there are.
  if (failure == std::errc::result_out_of_range) number = std::numeric_limits<std::size_t>::max();
  if (failure == std::errc::invalid_argument) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<Bounds> take_bounds(std::string_view& group) {
  constexpr std::string_view kEnd = "$$";
  Bounds bounds;
  std::string_view rest = without_blanks_at_start(group);
  const std::optional<std::size_t> first = take_number(rest);
  const bool is_range = rest.starts_with('-');
  if (is_range) rest.remove_prefix(1);
  const std::optional<std::size_t> second = is_range ? take_number(rest) : first;
  if ((!first && !second) || !rest.starts_with(kEnd)) return std::nullopt;
  rest.remove_prefix(kEnd.size());
  if (first) bounds.least = *first;
  if (second) bounds.most = *second;
  if (bounds.least > bounds.most) std::swap(bounds.least, bounds.most);
  const std::size_t separator_end = rest.find_first_of("${}");
  if (separator_end != rest.npos && rest.substr(separator_end).starts_with(kEnd)) {
    bounds.separator = rest.substr(0, separator_end);
    rest.remove_prefix(separator_end + kEnd.size());
  }
  group = rest;
  return bounds;
}

/// The weight that an option begins with, removed from it; 1 if there is none.
/// @throws UsageError for a number beyond a double's range.
double take_weight(std::string_view& option) {
  constexpr std::string_view kEnd = "::";
  const std::size_t end = option.find(kEnd);
  if (end == option.npos) return 1;
  const std::string digits = trim(option.substr(0, end));
  const auto fits = [](char c) { return is_digit(c) || c == '.'; };
  double weight = 1;
  if (!std::all_of(digits.begin(), digits.end(), fits)) return 1;
  const auto [stop, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  if (failure == std::errc::invalid_argument || stop != digits.data() + digits.size()) return 1;
  if (failure == std::errc::result_out_of_range) weight = parse_number(digits);
  option.remove_prefix(end + kEnd.size());
  return weight;
}

class TreeParser {
 public:
  explicit TreeParser(const Wildcards& wildcards) : wildcards_(wildcards) {}

  Phrase parse(std::string_view text) {
    if (++depth_ > kMaxDepth) {
      throw UsageError("choices are nested more than " + std::to_string(kMaxDepth) +
                       " levels deep");
    }
    const std::vector<std::size_t> closing = closing_braces(text);
    Phrase phrase(1);
    std::size_t i = 0;
    const auto add_choice = [&](std::shared_ptr<const Choice> choice, std::size_t end) {
      phrase.back().choice = std::move(choice);
      phrase.emplace_back();
      i = end;
    };
    while (i < text.size()) {
      const std::string_view rest = text.substr(i);
      if (is_escape(text, i, kSpecial)) {
        // The prompt's own grammar escapes the backslash, so it stays as it is here.
        phrase.back().text += rest[1] == '\\' ? rest.substr(0, 2) : rest.substr(1, 1);
        i += 2;
      } else if (const std::size_t length = wildcard_length(rest); length > 0) {
        add_choice(wildcard(std::string(rest.substr(2, length - 4))), i + length);
      } else if (auto choice = closing[i] == text.npos ? nullptr : group(text, i, closing)) {
        add_choice(std::move(choice), closing[i] + 1);
      } else {
        phrase.back().text += text[i++];
      }
    }
    --depth_;
    return phrase;
  }

 private:
  /// The choice that the brace at `open` begins, or nothing if it begins none.
  std::shared_ptr<const Choice> group(std::string_view text, std::size_t open,
                                      const std::vector<std::size_t>& closing) {
    const std::size_t end = closing[open];
    std::string_view content = text.substr(open + 1, end - open - 1);
    const std::optional<Bounds> bounds = take_bounds(content);
    const std::vector<std::string_view> texts =
        split_options(text.substr(0, end), end - content.size(), closing);
    if (!bounds && texts.size() == 1) return nullptr;
    const auto choice = std::make_shared<Choice>();
    for (const std::string_view option_text : texts) {
      choice->options.push_back(option(option_text));
    }
    if (const Choice* lines = only_wildcard(choice->options)) {
      // A copy first: the lines belong to what they replace.
      std::vector<Option> options = lines->options;
      choice->options = std::move(options);
    }
    if (bounds) {
      choice->least = std::min(bounds->least, choice->options.size());
      choice->most = std::min(bounds->most, choice->options.size());
      choice->separator = bounds->separator;
    }
    choice->combinations = multiply_combinations(*choice);
    return choice;
  }

  Option option(std::string_view text) {
    text = without_blanks_at_start(text);
    const double weight = take_weight(text);
    return {weight, parse(text)};
  }

  /// The choice of a wildcard that is all there is, blanks aside; else null.
  static const Choice* only_wildcard(const std::vector<Option>& options) {
    if (options.size() != 1) return nullptr;
    const Choice* found = nullptr;
    for (const Piece& piece : options[0].phrase) {
      if (!trim(piece.text).empty() || (found != nullptr && piece.choice != nullptr)) {
        return nullptr;
      }
      if (piece.choice != nullptr) found = piece.choice.get();
    }
    return found != nullptr && found->is_wildcard ? found : nullptr;
  }

  /// What `text` holds from `begin` on, at each `|` that is in no inner braces.
  static std::vector<std::string_view> split_options(std::string_view text, std::size_t begin,
                                                     const std::vector<std::size_t>& closing) {
    std::vector<std::string_view> options;
    for (std::size_t i = begin; i < text.size(); ++i) {
      if (is_escape(text, i, kSpecial)) {
        ++i;
      } else if (closing[i] != text.npos) {
        i = closing[i];
      } else if (text[i] == '|') {
        options.push_back(text.substr(begin, i - begin));
        begin = i + 1;
      }
    }
    options.push_back(text.substr(begin));
    return options;
  }

  std::shared_ptr<const Choice> wildcard(const std::string& pattern) {
    if (const auto known = choices_.find(pattern); known != choices_.end()) return known->second;
    const auto choice = std::make_shared<Choice>();
    choice->is_wildcard = true;
    for (const std::string& name : matching_wildcards(pattern, wildcards_)) {
      require_no_circle(name);
      files_.push_back(name);
      for (const std::string& line : wildcards_.lines.at(name)) {
        choice->options.push_back(option(line));
      }
      files_.pop_back();
    }
    if (choice->options.empty()) {
      throw DataError(wildcards_.folder.string() + ": the wildcard __" + pattern +
                      "__ has no line to choose");
    }
    choice->combinations = multiply_combinations(*choice);
    return choices_[pattern] = choice;
  }

  void require_no_circle(const std::string& name) const {
    const auto begin = std::find(files_.begin(), files_.end(), name);
    if (begin == files_.end()) return;
    std::vector<std::string> circle(begin, files_.end());
    circle.push_back(name);
    throw DataError(wildcards_.folder.string() +
                    ": wildcard files contain each other in a circle: " + join(circle, " → "));
  }

  const Wildcards& wildcards_;
  std::map<std::string, std::shared_ptr<const Choice>> choices_;
  std::vector<std::string> files_;  ///< whose lines are being parsed, outermost first
  int depth_ = 0;
};

}  // namespace

Phrase parse_dynamic(const std::string& text, const Wildcards& wildcards) {
  return TreeParser(wildcards).parse(text);
}

std::uint64_t multiply_combinations(const Phrase& phrase) {
  std::uint64_t count = 1;
  for (const Piece& piece : phrase) {
    if (piece.choice != nullptr) count = product(count, piece.choice->combinations);
  }
  return count;
}

}  // namespace sdx
