#include "sdx/prompt/dynamic.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "prompt/dynamic_tree.h"
#include "sdx/util/error.h"
#include "sdx/util/random.h"

namespace sdx {

namespace {

// Wildcards that use each other twice, level after level, grow without end.
constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;

void append(std::string& text, std::string_view more) {
  if (text.size() + more.size() > kMaxBytes) {
    throw UsageError("the prompt's choices make it longer than a megabyte");
  }
  text += more;
}

constexpr double kWordUnit = 1.0 / 4294967296.0;  // 2^-32

/// What draw() gives for `count` weights of 1, without going through them.
std::size_t draw_evenly(std::size_t count, RandomStream& random) {
  return static_cast<std::size_t>(static_cast<double>(random.word()) * kWordUnit *
                                  static_cast<double>(count));
}

/// By weight; all alike if the weights are all 0.
std::size_t draw(const std::vector<double>& weights, RandomStream& random) {
  double total = 0;
  for (const double weight : weights) total += weight;
  if (total <= 0) return random.below(static_cast<std::uint32_t>(weights.size()));
  const double target = static_cast<double>(random.word()) * kWordUnit * total;
  double passed = 0;
  std::size_t drawn = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    drawn = i;
    passed += weights[i];
    if (target < passed) break;
  }
  return drawn;
}

void expand(const Phrase& phrase, RandomStream& random, std::string& text);

void expand(const Choice& choice, RandomStream& random, std::string& text) {
  const std::size_t spread = choice.most - choice.least;
  const std::size_t count =
      choice.least + (spread == 0 ? 0 : random.below(static_cast<std::uint32_t>(spread + 1)));
  std::vector<const Option*> left;
  std::vector<double> weights;
  for (const Option& option : choice.options) {
    left.push_back(&option);
    weights.push_back(option.weight);
  }
  const bool is_even =
      std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 1; });
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t drawn = is_even ? draw_evenly(left.size(), random) : draw(weights, random);
    const Option* const option = left[drawn];
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(drawn));
    if (!is_even) weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(drawn));
    if (i > 0) append(text, choice.separator);
    expand(option->phrase, random, text);
  }
}

void expand(const Phrase& phrase, RandomStream& random, std::string& text) {
  for (const Piece& piece : phrase) {
    append(text, piece.text);
    if (piece.choice != nullptr) expand(*piece.choice, random, text);
  }
}

using Texts = std::vector<std::string>;

/// Each of `beginnings` with each of `endings`.
Texts joined(const Texts& beginnings, std::string_view separator, const Texts& endings) {
  Texts texts;
  for (const std::string& beginning : beginnings) {
    for (const std::string& ending : endings) {
      texts.push_back(beginning);
      append(texts.back(), separator);
      append(texts.back(), ending);
    }
  }
  return texts;
}

Texts expand_texts(const Phrase& phrase);

/// All orders of `count` options, of which `begun` are taken, each with all their texts.
void add_orders(const Choice& choice, const std::vector<Texts>& options, std::size_t count,
                std::vector<std::size_t>& begun, Texts& texts) {
  if (begun.size() == count) {
    Texts order(1);
    for (std::size_t i = 0; i < count; ++i) {
      order = joined(order, i > 0 ? choice.separator : std::string(), options[begun[i]]);
    }
    texts.insert(texts.end(), order.begin(), order.end());
    return;
  }
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (std::find(begun.begin(), begun.end(), i) != begun.end()) continue;
    begun.push_back(i);
    add_orders(choice, options, count, begun, texts);
    begun.pop_back();
  }
}

Texts expand_texts(const Choice& choice) {
  // What is never taken does not count (count_combinations), and may be countless.
  if (choice.most == 0) return Texts(1);
  std::vector<Texts> options;
  for (const Option& option : choice.options) options.push_back(expand_texts(option.phrase));
  Texts texts;
  for (std::size_t count = choice.least; count <= choice.most; ++count) {
    std::vector<std::size_t> begun;
    add_orders(choice, options, count, begun, texts);
  }
  return texts;
}

Texts expand_texts(const Phrase& phrase) {
  Texts texts(1);
  for (const Piece& piece : phrase) {
    texts = joined(texts, {}, {piece.text});
    if (piece.choice != nullptr) texts = joined(texts, {}, expand_texts(*piece.choice));
  }
  return texts;
}

}  // namespace

std::string expand_random(const std::string& text, const Wildcards& wildcards, std::uint64_t seed) {
  RandomStream random(seed, RandomPurpose::kDynamicPrompt);
  std::string expanded;
  expand(parse_dynamic(text, wildcards), random, expanded);
  return expanded;
}

std::uint64_t count_combinations(const std::string& text, const Wildcards& wildcards) {
  return multiply_combinations(parse_dynamic(text, wildcards));
}

std::vector<std::string> all_combinations(const std::string& text, const Wildcards& wildcards,
                                          std::uint64_t limit) {
  const Phrase phrase = parse_dynamic(text, wildcards);
  const std::uint64_t count = multiply_combinations(phrase);
  constexpr std::uint64_t kCountless = std::numeric_limits<std::uint64_t>::max();
  if (count > limit || count == kCountless) {
    throw UsageError("the prompt stands for " +
                     (count == kCountless ? "countless" : std::to_string(count)) +
                     " combinations, more than the " + std::to_string(limit) +
                     " that are allowed; take some by chance, or raise the limit");
  }
  return expand_texts(phrase);
}

}  // namespace sdx
