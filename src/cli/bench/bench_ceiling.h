#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <vector>

namespace sdx {

/// A matrix product: [rows, depth] × [depth, columns].
struct ProductShape {
  std::int64_t rows;
  std::int64_t depth;
  std::int64_t columns;
};

/// A large square and the feed-forward layers of a UNet of Stable Diffusion 1.5 for two rows.
const std::vector<ProductShape>& ceiling_shapes();

/// The best rate that any of the library's ways to multiply reaches with any of the shapes, in
/// TFLOP/s: a ceiling that a whole model comes near, not one that it cannot miss. On the CPU also
/// by oneDNN with weights that are laid out for it before, which beats the plain product by far on
/// processors that are not Intel's.
double best_product_rate(c10::Device device, c10::ScalarType dtype,
                         const std::vector<ProductShape>& shapes);

/// GB/s read and written by a copy of `bytes`, the best of several.
double best_copy_rate(c10::Device device, std::int64_t bytes);

}  // namespace sdx
