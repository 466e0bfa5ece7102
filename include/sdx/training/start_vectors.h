#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "sdx/model/text_encoder.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// K rows that say `text`. With at least K tokens, each row is the mean of its share of them, in
/// order; with fewer, tokens are repeated in order ("a b" on 4 rows: a a b b).
/// @return [K,W] float32 on the CPU.
/// @throws UsageError if the text holds no token.
at::Tensor phrase_vectors(const std::string& text, int count, const Tokenizer& tokenizer,
                          const TextEncoder& encoder);

/// What vectors cost: the loss on the fixed batch, and its gradient in them.
struct VectorLoss {
  std::function<double(const at::Tensor& vectors)> loss;
  std::function<at::Tensor(const at::Tensor& vectors)> gradient;
};

/// Rows that are words of the vocabulary.
struct FoundWords {
  at::Tensor vectors;  ///< [K,W] float32
  std::string words;   ///< one for each row, separated by blanks; "·" for a row that stayed
};

/// K words of the vocabulary by which the pictures are explained best, found row by row: the
/// gradient says to first order how much each word of the vocabulary would lower the loss (HotFlip,
/// Ebrahimi et al. 2018), and of the most promising the one is taken whose true loss is lowest; the
/// row stays as it is where none is lower.
/// @param start [K,W], where the search begins
FoundWords best_words(const at::Tensor& start, const VectorLoss& cost, const Tokenizer& tokenizer,
                      const TextEncoder& encoder);

/// Cross initialization (Pang et al. 2024): the text encoder's output at a name that is the mean of
/// many names, as the first input vectors. Output vectors of people lie near each other and far
/// from the table's, so that little is left to learn.
/// @param names first names, one vector each after averaging their tokens.
/// @return [K,W] float32.
at::Tensor cross_vectors(const std::vector<std::string>& names, int count,
                         const Tokenizer& tokenizer, const TextEncoder& encoder);

}  // namespace sdx
