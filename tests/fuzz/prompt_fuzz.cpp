// A prompt: weights, edits, alternations, AND, BREAK, names. Read, and cut into tokens.

#include "sdx/prompt/prompt.h"

#include "fuzz/target.h"

using namespace sdx;

namespace {

/// A tokenizer that costs nothing: a token for each byte.
class Bytes final : public Tokenizer {
 public:
  Bytes() : Tokenizer({256, 257, 257, 77}) {}

  std::vector<std::int64_t> encode(std::string_view text) const override {
    return {text.begin(), text.end()};
  }
  std::string decode(const std::vector<std::int64_t>& ids) const override {
    return {ids.begin(), ids.end()};
  }
  std::string piece(std::int64_t id) const override { return {static_cast<char>(id)}; }
  std::optional<std::int64_t> whole_word(std::string_view /*word*/) const override { return {}; }
  std::int64_t vocabulary_size() const override { return 258; }
};

}  // namespace

SDX_FUZZ_TARGET(prompt) {
  const std::string text(bytes);
  const EmbeddingSizes known({{"Ada", 2}, {"a b", 1}, {"José", 80}});
  for (const PromptRole role : {PromptRole::kPositive, PromptRole::kNegative}) {
    for (const PromptPart& part : parse_prompt(text, Grammar::kA1111, role).parts({7, 20})) {
      text_at(part, 3);
    }
  }
  parse_text(text, Grammar::kPlain);
  placeholder_names(text);
  bracket_bare_names(text, EmbeddingTable());
  tokenize_prompt(text, Bytes(), known, Grammar::kA1111);
}
