#include "sdx/training/start_vectors.h"

#include <ATen/ops/argsort.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include "sdx/prompt/prompt.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// True losses that are looked at for a row: each costs a pass over the fixed batch.
constexpr std::int64_t kCandidates = 8;

at::Tensor token_vectors(const std::vector<std::int64_t>& ids, const TextEncoder& encoder) {
  return encoder.embed(at::tensor(ids, at::kLong).unsqueeze(0)).squeeze(0).cpu();
}

/// The entries of the vocabulary that are words by themselves, in order of their ids.
std::vector<std::int64_t> whole_words(const Tokenizer& tokenizer) {
  std::vector<std::int64_t> ids;
  for (std::int64_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
    const std::string word = trim(tokenizer.decode({id}));
    if (!word.empty() && tokenizer.whole_word(word) == id) ids.push_back(id);
  }
  return ids;
}

}  // namespace

at::Tensor phrase_vectors(const std::string& text, int count, const Tokenizer& tokenizer,
                          const TextEncoder& encoder) {
  const std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (ids.empty()) throw SettingError("init", "a text with a token in it", text);
  const at::Tensor tokens = token_vectors(ids, encoder);
  const std::int64_t found = tokens.size(0);
  std::vector<at::Tensor> rows;
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t first = row * found / count;
    const std::int64_t last = std::max(first + 1, (row + 1) * found / count);
    rows.push_back(tokens.slice(0, first, last).mean(0));
  }
  return at::stack(rows);
}

FoundWords best_words(const at::Tensor& start, const VectorLoss& cost, const Tokenizer& tokenizer,
                      const TextEncoder& encoder) {
  const std::vector<std::int64_t> ids = whole_words(tokenizer);
  FoundWords best{start.clone(), ""};
  if (ids.empty()) return best;
  const at::Tensor words = token_vectors(ids, encoder);
  double lowest = cost.loss(best.vectors);
  std::vector<std::string> chosen;
  for (std::int64_t row = 0; row < start.size(0); ++row) {
    const at::Tensor gain = at::mv(words, cost.gradient(best.vectors)[row]);
    const at::Tensor order = at::argsort(gain);
    std::string taken = "·";
    at::Tensor vectors = best.vectors;
    for (std::int64_t i = 0; i < std::min(kCandidates, order.size(0)); ++i) {
      const auto index = order[i].item<std::int64_t>();
      at::Tensor candidate = best.vectors.clone();
      candidate[row] = words[index];
      const double loss = cost.loss(candidate);
      if (loss >= lowest) continue;
      lowest = loss;
      vectors = candidate;
      taken = trim(tokenizer.decode({ids[static_cast<std::size_t>(index)]}));
    }
    best.vectors = vectors;
    chosen.push_back(taken);
  }
  best.words = join(chosen, " ");
  return best;
}

at::Tensor cross_vectors(const std::vector<std::string>& names, int count,
                         const Tokenizer& tokenizer, const TextEncoder& encoder) {
  std::vector<at::Tensor> vectors;
  for (const std::string& name : names) {
    vectors.push_back(phrase_vectors(name, 1, tokenizer, encoder));
  }
  const at::Tensor mean = at::stack(vectors).mean(0);
  const EmbeddingSizes sizes(std::map<std::string, int>{{"mean", count}});
  const TokenizedPrompt prompt = tokenize_prompt("a photo of <mean>", tokenizer, sizes);
  const at::Tensor repeated = mean.expand({count, mean.size(1)}).contiguous();
  const at::Tensor output =
      encode_prompts({{prompt, {repeated}}}, tokenizer, encoder).squeeze(0).cpu();
  std::vector<at::Tensor> rows;
  for (const Splice& splice : prompt.chunks.front().splices) {
    rows.push_back(output[splice.position]);
  }
  return at::stack(rows).clone();
}

}  // namespace sdx
