#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <vector>

#include "sdx/device/device.h"

namespace sdx {

/// A matrix product: [rows, depth] × [depth, columns].
struct ProductShape {
  std::int64_t rows;
  std::int64_t depth;
  std::int64_t columns;
};

/// A large square, larger for a GPU, which is only busy with much; and the feed-forward layers of a
/// UNet of Stable Diffusion 1.5 for two rows.
const std::vector<ProductShape>& ceiling_shapes(c10::Device device);

/// In which products are measured: float32, which text encoders compute in, and what the UNet does;
/// on the processor bfloat16 always.
std::vector<c10::ScalarType> ceiling_types(const ComputeTarget& target);

/// The best rate that any of the library's ways to multiply reaches with any of the shapes, in
/// TFLOP/s: a ceiling that a whole model comes near, not one that it cannot miss. On the CPU also
/// by oneDNN with weights that are laid out for it before, which beats the plain product by far on
/// processors that are not Intel's.
double best_product_rate(c10::Device device, c10::ScalarType dtype,
                         const std::vector<ProductShape>& shapes);

/// GB/s read and written by a copy of `bytes`, the best of several.
double best_copy_rate(c10::Device device, std::int64_t bytes);

}  // namespace sdx
