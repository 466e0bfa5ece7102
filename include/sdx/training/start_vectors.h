#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_vectors.h"
#include "sdx/model/text_encoders.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// K rows that say `text`. With at least K tokens, each row is the mean of its share of them, in
/// order; with fewer, tokens are repeated in order ("a b" on 4 rows: a a b b).
/// @return of each encoder's table [K,W] float32 on the CPU.
/// @throws UsageError if the text holds no token.
EmbeddingVectors phrase_vectors(const std::string& text, int count, const Tokenizer& tokenizer,
                                const TextEncoders& encoders);

/// The loss of vectors on the fixed batch, and its gradient in them.
struct VectorLoss {
  std::function<double(const EmbeddingVectors& vectors)> loss;
  std::function<EmbeddingVectors(const EmbeddingVectors& vectors)> gradient;
};

/// Rows that are words of the vocabulary.
struct FoundWords {
  EmbeddingVectors vectors;
  std::string words;  ///< one for each row, separated by blanks; "·" for a row that stayed
};

/// K words of the vocabulary by which the pictures are explained best, found row by row: the
/// gradient says to first order how much each word of the vocabulary would lower the loss (HotFlip,
/// Ebrahimi et al. 2018), and of the most promising the one is taken whose true loss is lowest; the
/// row stays as it is where none is lower.
/// @param start where the search begins
FoundWords best_words(const EmbeddingVectors& start, const VectorLoss& cost,
                      const Tokenizer& tokenizer, const TextEncoders& encoders);

/// Cross initialization (Pang et al. 2024): each text encoder's output at a name that is the mean
/// of many names, as the first input vectors. Output vectors of people lie near each other and far
/// from the table's, so that little is left to learn.
/// @param names first names, one vector each after averaging their tokens.
EmbeddingVectors cross_vectors(const std::vector<std::string>& names, int count,
                               const Tokenizer& tokenizer, const TextEncoders& encoders);

}  // namespace sdx
