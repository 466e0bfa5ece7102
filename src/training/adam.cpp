#include "sdx/training/adam.h"

#include <cmath>

namespace sdx {

EmbeddingVectors Adam::update(const EmbeddingVectors& values, const EmbeddingVectors& gradient,
                              double learning_rate) {
  constexpr double kBeta1 = 0.9;
  constexpr double kBeta2 = 0.999;
  constexpr double kEpsilon = 1e-8;
  if (!mean.defined()) {
    mean = gradient.map([](const at::Tensor& g) { return g * 0; });
    square = mean.clone();
  }
  ++updates;
  mean = mean.map(
      [](const at::Tensor& m, const at::Tensor& g) { return m * kBeta1 + g * (1 - kBeta1); },
      gradient);
  square = square.map(
      [](const at::Tensor& s, const at::Tensor& g) { return s * kBeta2 + g * g * (1 - kBeta2); },
      gradient);
  return values.map(
      [&](const at::Tensor& v, const at::Tensor& m, const at::Tensor& s) {
        const at::Tensor mean_corrected = m / (1 - std::pow(kBeta1, updates));
        const at::Tensor square_corrected = s / (1 - std::pow(kBeta2, updates));
        return v - mean_corrected / (square_corrected.sqrt() + kEpsilon) * learning_rate;
      },
      mean, square);
}

}  // namespace sdx
