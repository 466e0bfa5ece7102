#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace sdx {

/// Keeps the gradient of a computation in float16 within its range: the gradient of a mean over a
/// picture is about 1e-5 for each value, where float16 has few digits left and none below 6e-8.
/// Backward, the gradient is multiplied by the power of two that makes its largest value 1 to 2
/// where it enters the computation, and divided again where it leaves it; nothing waits for the
/// device. (Micikevicius et al. 2018, "Mixed Precision Training", have one factor for a whole
/// training instead, which must be sought.) Forward, both are the identity. For one backward pass.
class GradientRange {
 public:
  GradientRange() : scale_(std::make_shared<at::Tensor>()) {}

  /// What the computation takes, in float32.
  at::Tensor before(const at::Tensor& input) const;

  /// What it gives, in float32.
  at::Tensor after(const at::Tensor& output) const;

 private:
  std::shared_ptr<at::Tensor> scale_;  ///< [] float32; known when backward has come to after()
};

}  // namespace sdx
