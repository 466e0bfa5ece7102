#pragma once

#include <ATen/core/Tensor.h>

#include "sdx/tensor/noise.h"

namespace sdx::test {

/// The same normal noise for the same seed.
inline at::Tensor noise(std::uint64_t seed, at::IntArrayRef shape) {
  RandomStream stream(seed, RandomPurpose::kTrainingNoise);
  return normal_noise(shape, stream);
}

/// ‖a − b‖ / ‖b‖, of any floating-point types.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor reference = b.to(at::kFloat);
  return ((a.to(at::kFloat) - reference).norm() / reference.norm()).item<double>();
}

}  // namespace sdx::test
