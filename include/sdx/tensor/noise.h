#pragma once

#include <ATen/core/Tensor.h>

#include "sdx/util/random.h"

namespace sdx {

/// Standard normal noise of `shape`, float32 on the CPU, drawn from `stream` in row-major order: a
/// seed means the same whatever the device, and an image's noise is its own whatever the batch.
at::Tensor normal_noise(at::IntArrayRef shape, RandomStream& stream);

}  // namespace sdx
