#pragma once

#include <ATen/core/Tensor.h>

namespace sdx {

/// Adam (Kingma & Ba 2015) on one tensor: β 0.9 and 0.999, ε 1e-8, no weight decay. A plain value:
/// copy it to keep its state.
struct Adam {
  at::Tensor mean;    ///< of the gradient, not corrected for its start at 0
  at::Tensor square;  ///< of the squared gradient, likewise
  int updates = 0;

  /// `values` after one more step along `gradient`.
  at::Tensor update(const at::Tensor& values, const at::Tensor& gradient, double learning_rate);
};

}  // namespace sdx
