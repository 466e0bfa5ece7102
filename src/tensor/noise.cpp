#include "sdx/tensor/noise.h"

#include <ATen/ops/empty.h>

namespace sdx {

at::Tensor normal_noise(at::IntArrayRef shape, RandomStream& stream) {
  at::Tensor noise = at::empty(shape, at::kFloat);
  float* values = noise.data_ptr<float>();
  for (std::int64_t i = 0; i < noise.numel(); ++i) values[i] = stream.normal();
  return noise;
}

}  // namespace sdx
