#include "sdx/training/adam.h"

#include <cmath>

namespace sdx {

at::Tensor Adam::update(const at::Tensor& values, const at::Tensor& gradient,
                        double learning_rate) {
  constexpr double kBeta1 = 0.9;
  constexpr double kBeta2 = 0.999;
  constexpr double kEpsilon = 1e-8;
  if (!mean.defined()) {
    mean = gradient * 0;
    square = gradient * 0;
  }
  ++updates;
  mean = mean * kBeta1 + gradient * (1 - kBeta1);
  square = square * kBeta2 + gradient * gradient * (1 - kBeta2);
  const at::Tensor mean_corrected = mean / (1 - std::pow(kBeta1, updates));
  const at::Tensor square_corrected = square / (1 - std::pow(kBeta2, updates));
  return values - mean_corrected / (square_corrected.sqrt() + kEpsilon) * learning_rate;
}

}  // namespace sdx
