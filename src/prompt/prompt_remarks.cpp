#include "sdx/prompt/prompt_remarks.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "prompt/placeholders.h"
#include "sdx/prompt/networks.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

constexpr std::size_t kMostNameBytes = 4 * kMaxNameBytes;
constexpr std::size_t kMostRemarks = 10;
/// Places of a prompt at which names are looked up: nobody writes more, and each takes a while.
constexpr int kMostPlaces = 200;

/// A pair of brackets around a name that is none, and what is between.
struct Bracketed {
  std::string_view written;
  std::string_view inner;
  bool is_plain = false;  ///< `<` and `>` themselves
};

/// The length of the bracket that `text` begins with, or 0.
std::size_t bracket_length(std::string_view text, std::string_view plain,
                           std::string_view BracketPair::*side) {
  if (text.starts_with(plain)) return plain.size();
  for (const BracketPair& pair : look_alike_brackets()) {
    if (text.starts_with(pair.*side)) return (pair.*side).size();
  }
  return 0;
}

/// The brackets, of any kind, that open where `text` begins; nothing if none do, or if others open
/// before they close.
std::optional<Bracketed> find_brackets(std::string_view text) {
  const std::size_t opening = bracket_length(text, "<", &BracketPair::open);
  if (opening == 0) return std::nullopt;
  const std::size_t most = std::min(text.size(), opening + kMostNameBytes);
  for (std::size_t i = opening; i < most && text[i] != '\n'; ++i) {
    const std::string_view rest = text.substr(i);
    if (bracket_length(rest, "<", &BracketPair::open) > 0) return std::nullopt;
    const std::size_t closing = bracket_length(rest, ">", &BracketPair::close);
    if (closing == 0) continue;
    return Bracketed{text.substr(0, i + closing), text.substr(opening, i - opening),
                     text.front() == '<' && rest.front() == '>'};
  }
  return std::nullopt;
}

/// What stands behind "embedding:" where `text` begins with that, in any case; else nothing.
std::optional<std::string_view> behind_prefix(std::string_view text) {
  for (const std::string_view prefix : {"embedding:", "embed:"}) {
    if (lower_case(text.substr(0, prefix.size())) == prefix) return text.substr(prefix.size());
  }
  return std::nullopt;
}

/// The longest beginning of `text` that somebody could mean as the name of an embedding.
struct MeantName {
  std::size_t length = 0;  ///< 0: there is none
  std::string name;
};

MeantName find_meant_beginning(std::string_view text, const EmbeddingTable& embeddings) {
  constexpr int kMostTries = 20;
  std::size_t end = std::min({text.find_first_of("\n,<>{}|"), text.size(), kMostNameBytes});
  for (int i = 0; i < kMostTries && end > 0; ++i) {
    const std::string_view candidate = text.substr(0, end);
    if (std::string name = embeddings.find_meant_name(std::string(candidate)); !name.empty()) {
      return {end, std::move(name)};
    }
    const std::size_t cut = candidate.find_last_of(" :()[]");
    if (cut == candidate.npos) break;
    end = cut;
  }
  return {};
}

std::string reads_as_text(std::string_view written) {
  return quote_text(written) + " reads as plain text";
}

std::string no_such_name(std::string_view name) {
  return ": no embedding here is called " + quote_text(name);
}

/// Names that are written in another way than `<Name>`.
class NameRemarks {
 public:
  NameRemarks(const std::string& text, const EmbeddingTable& embeddings)
      : text_(text), embeddings_(embeddings) {}

  std::vector<std::string> list() {
    const auto goes_on = [this] { return remarks_.size() < kMostRemarks && places_ < kMostPlaces; };
    for (std::size_t i = 0; i < text_.size() && goes_on();) {
      const std::size_t length =
          std::max(find_placeholder(text_, i, embeddings_).length, find_network_length(text_, i));
      i += length > 0 ? length : std::max<std::size_t>(take_at(i), 1);
    }
    return std::move(remarks_);
  }

 private:
  /// @return the length of what was remarked on, or 0.
  std::size_t take_at(std::size_t i) {
    const std::string_view rest = text_.substr(i);
    if (const auto brackets = find_brackets(rest)) return take_brackets(*brackets);
    if (i > 0 && is_word_character(text_[i - 1])) return 0;
    const auto name = behind_prefix(rest);
    return name ? take_prefixed(rest, *name) : 0;
  }

  std::size_t take_brackets(const Bracketed& brackets) {
    ++places_;
    const std::string inner(brackets.inner);
    if (const std::string meant = embeddings_.find_meant_name(inner); !meant.empty()) {
      return ask(brackets.written, meant);
    }
    // "x <- y -> z" has no name in it.
    const bool is_whole = !inner.empty() && is_word_character(inner.front()) &&
                          (is_word_character(inner.back()) || inner.ends_with(')'));
    if (!brackets.is_plain || !is_whole || inner.find(' ') == inner.npos) return 0;
    add(reads_as_text(brackets.written) + no_such_name(inner));
    return brackets.written.size();
  }

  std::size_t take_prefixed(std::string_view rest, std::string_view name) {
    ++places_;
    const std::size_t prefix = rest.size() - name.size();
    if (const MeantName meant = find_meant_beginning(name, embeddings_); meant.length > 0) {
      return ask(rest.substr(0, prefix + meant.length), meant.name);
    }
    const std::string_view word =
        name.substr(0, std::min(name.find_first_of(" \t\n,<>{}|:()[]"), name.size()));
    if (word.empty()) return 0;
    add(reads_as_text(rest.substr(0, prefix + word.size())) + no_such_name(word) +
        ", and <Name> is how one is written");
    return prefix + word.size();
  }

  std::size_t ask(std::string_view written, const std::string& meant) {
    add(reads_as_text(written) + "; did you mean " + placeholder(meant) + "?");
    return written.size();
  }

  void add(std::string remark) {
    if (std::find(remarks_.begin(), remarks_.end(), remark) == remarks_.end()) {
      remarks_.push_back(std::move(remark));
    }
  }

  std::string_view text_;
  const EmbeddingTable& embeddings_;
  std::vector<std::string> remarks_;
  int places_ = 0;  ///< looked at so far
};

bool is_unusual(double weight) { return std::abs(weight) > kMostUsualWeight; }

std::string times(double weight) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", weight);
  return text + std::string(" times as strongly: ");
}

/// A LoRA acts on the whole model, so that none acts on a negative prompt alone.
void add_network_remarks(const std::string& text, std::vector<std::string>& remarks) {
  for (std::size_t i = text.find('<'); i < text.size(); i = text.find('<', i + 1)) {
    const std::size_t length = find_network_length(text, i);
    if (length == 0) continue;
    remarks.push_back(quote_text(text.substr(i, length)) +
                      " in the negative prompt is left out: a LoRA acts on the whole picture. In "
                      "the prompt, with a strength below 0, it does the opposite");
    if (remarks.size() == kMostRemarks) return;
  }
}

void add_weight_remarks(const std::vector<PromptPart>& parts, std::vector<std::string>& remarks) {
  const auto add = [&remarks](std::string remark) {
    const bool is_new = std::find(remarks.begin(), remarks.end(), remark) == remarks.end();
    if (is_new && remarks.size() < kMostRemarks) remarks.push_back(std::move(remark));
  };
  for (const PromptPart& part : parts) {
    if (is_unusual(part.weight)) {
      add(quote_text(trim(part.stages.front().prompt.text)) + " is guided " + times(part.weight) +
          "a number behind the last colon is the weight of what stands before it; a comma behind "
          "the number makes it text");
    }
    for (const PromptStage& stage : part.stages) {
      for (const PromptSegment& segment : stage.prompt.segments) {
        if (!is_unusual(segment.weight)) continue;
        const std::string text = trim(segment.text);
        if (text.empty()) continue;
        add(quote_text(segment.is_placeholder ? placeholder(text) : text) + " is weighted " +
            times(segment.weight) + "weights from 0.5 to 1.5 are usual");
      }
    }
  }
}

}  // namespace

std::vector<std::string> list_prompt_remarks(const std::string& text, Grammar grammar,
                                             PromptRole role, const EmbeddingTable& embeddings) {
  constexpr PromptSteps kUsualSteps{20, 0};
  std::vector<std::string> remarks = NameRemarks(text, embeddings).list();
  if (role == PromptRole::kNegative) add_network_remarks(text, remarks);
  add_weight_remarks(parse_prompt(text, grammar, role, embeddings).parts(kUsualSteps), remarks);
  return remarks;
}

std::vector<std::string> list_unknown_words(const std::string& text, Grammar grammar,
                                            const EmbeddingTable& embeddings,
                                            const std::vector<std::string>& known_words) {
  std::vector<std::string> unknown;
  if (known_words.empty()) return unknown;
  const auto look_up = [&](const std::string& word) {
    const bool has_letter = std::any_of(word.begin(), word.end(), [](unsigned char c) {
      return c >= 0x80 || std::isalpha(c) != 0;
    });
    if (!has_letter || std::ranges::count(known_words, word) > 0) return;
    if (std::ranges::count(unknown, word) == 0) unknown.push_back(word);
  };
  constexpr PromptSteps kUsualSteps{20, 0};
  const ParsedPrompt prompt = parse_prompt(text, grammar, PromptRole::kPositive, embeddings);
  for (const PromptPart& part : prompt.parts(kUsualSteps)) {
    for (const PromptStage& stage : part.stages) {
      for (const PromptSegment& segment : stage.prompt.segments) {
        if (segment.is_placeholder) continue;
        std::string word;
        for (const char c : lower_case(segment.text) + " ") {
          if (is_word_character(c)) {
            word += c;
          } else if (!word.empty()) {
            look_up(std::exchange(word, ""));
          }
        }
      }
    }
  }
  return unknown;
}

}  // namespace sdx
