#pragma once

#include "sdx/embedding/embedding_vectors.h"

namespace sdx {

/// Adam (Kingma & Ba 2015) on an embedding's vectors, number by number: β 0.9 and 0.999, ε 1e-8, no
/// weight decay. A plain value: copy it to keep its state.
struct Adam {
  EmbeddingVectors mean;    ///< of the gradient, not corrected for its start at 0
  EmbeddingVectors square;  ///< of the squared gradient, likewise
  int updates = 0;

  /// `values` after one more step along `gradient`, which has the same shapes.
  EmbeddingVectors update(const EmbeddingVectors& values, const EmbeddingVectors& gradient,
                          double learning_rate);
};

}  // namespace sdx
