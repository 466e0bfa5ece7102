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

/// What the text encoders say does not depend on the image's size.
constexpr ImageSize kAnySize{1, 1};

/// The rows of each encoder's table for some tokens, on the CPU.
EmbeddingVectors token_vectors(const std::vector<std::int64_t>& ids, const TextEncoders& encoders) {
  std::vector<at::Tensor> rows;
  for (const TextEncoder& encoder : encoders) {
    rows.push_back(encoder.embed(at::tensor(ids, at::kLong).unsqueeze(0)).squeeze(0).cpu());
  }
  return EmbeddingVectors(std::move(rows));
}

/// `vectors` with `row` replaced by row `index` of `words`.
EmbeddingVectors with_row(const EmbeddingVectors& vectors, std::int64_t row,
                          const EmbeddingVectors& words, std::int64_t index) {
  return vectors.map(
      [&](const at::Tensor& matrix, const at::Tensor& table) {
        at::Tensor changed = matrix.clone();
        changed[row] = table[index];
        return changed;
      },
      words);
}

/// How much each word of the vocabulary, put into a row, would raise the loss, to first order, [V].
at::Tensor gains(const EmbeddingVectors& words, const EmbeddingVectors& gradient,
                 std::int64_t row) {
  at::Tensor sum = at::mv(words.matrix(0), gradient.matrix(0)[row]);
  for (std::size_t i = 1; i < words.matrices().size(); ++i) {
    sum = sum + at::mv(words.matrix(i), gradient.matrix(i)[row]);
  }
  return sum;
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

EmbeddingVectors phrase_vectors(const std::string& text, int count, const Tokenizer& tokenizer,
                                const TextEncoders& encoders) {
  const std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (ids.empty()) throw SettingError("init", "a text with a token in it", text);
  const auto found = static_cast<std::int64_t>(ids.size());
  return token_vectors(ids, encoders).map([&](const at::Tensor& tokens) {
    std::vector<at::Tensor> rows;
    for (std::int64_t row = 0; row < count; ++row) {
      const std::int64_t first = row * found / count;
      const std::int64_t last = std::max(first + 1, (row + 1) * found / count);
      rows.push_back(tokens.slice(0, first, last).mean(0));
    }
    return at::stack(rows);
  });
}

FoundWords best_words(const EmbeddingVectors& start, const VectorLoss& cost,
                      const Tokenizer& tokenizer, const TextEncoders& encoders) {
  const std::vector<std::int64_t> ids = whole_words(tokenizer);
  FoundWords best{start.clone(), ""};
  if (ids.empty()) return best;
  const EmbeddingVectors words = token_vectors(ids, encoders);
  double lowest = cost.loss(best.vectors);
  std::vector<std::string> selected;
  for (std::int64_t row = 0; row < start.count(); ++row) {
    const at::Tensor order = at::argsort(gains(words, cost.gradient(best.vectors), row));
    std::string taken = "·";
    EmbeddingVectors vectors = best.vectors;
    for (std::int64_t i = 0; i < std::min(kCandidates, order.size(0)); ++i) {
      const auto index = order[i].item<std::int64_t>();
      const EmbeddingVectors candidate = with_row(best.vectors, row, words, index);
      const double loss = cost.loss(candidate);
      if (loss >= lowest) continue;
      lowest = loss;
      vectors = candidate;
      taken = trim(tokenizer.decode({ids[static_cast<std::size_t>(index)]}));
    }
    best.vectors = vectors;
    selected.push_back(taken);
  }
  best.words = join(selected, " ");
  return best;
}

EmbeddingVectors cross_vectors(const std::vector<std::string>& names, int count,
                               const Tokenizer& tokenizer, const TextEncoders& encoders) {
  std::vector<std::vector<at::Tensor>> of_encoder(encoders.size());
  for (const std::string& name : names) {
    const EmbeddingVectors vectors = phrase_vectors(name, 1, tokenizer, encoders);
    for (std::size_t i = 0; i < of_encoder.size(); ++i) of_encoder[i].push_back(vectors.matrix(i));
  }
  std::vector<at::Tensor> means;
  for (const std::vector<at::Tensor>& vectors : of_encoder) {
    const at::Tensor mean = at::stack(vectors).mean(0);
    means.push_back(mean.expand({count, mean.size(1)}).contiguous());
  }
  const EmbeddingSizes sizes(std::map<std::string, int>{{"mean", count}});
  const TokenizedPrompt prompt = tokenize_prompt("a photo of <mean>", tokenizer, sizes);
  const at::Tensor output = encode_prompts({{prompt, {EmbeddingVectors(std::move(means))}}},
                                           tokenizer, encoders, kAnySize)
                                .context.squeeze(0)
                                .cpu();
  std::vector<at::Tensor> rows;
  for (const Splice& splice : prompt.chunks.front().splices) {
    rows.push_back(output[splice.position]);
  }
  // The context has the encoders' outputs side by side.
  std::vector<at::Tensor> matrices;
  for (const at::Tensor& part : at::stack(rows).split_with_sizes(encoders.widths(), 1)) {
    matrices.push_back(part.clone());
  }
  return EmbeddingVectors(std::move(matrices));
}
}  // namespace sdx
