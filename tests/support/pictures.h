#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "sdx/image/image.h"
#include "support/catch.h"

namespace sdx::test {

/// Of two pictures of one size, over all channels.
inline int largest_difference(const Image& a, const Image& b) {
  REQUIRE(a.width_px == b.width_px);
  REQUIRE(a.height_px == b.height_px);
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  }
  return largest;
}

/// Peak signal-to-noise ratio of pictures of 0 … 255; 99 if they are equal.
inline double psnr_db(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor difference = a.to(at::kDouble).sub(b.to(at::kDouble));
  const double squared = difference.pow(2).mean().item<double>();
  return squared == 0 ? 99 : 10 * std::log10(255. * 255. / squared);
}

}  // namespace sdx::test
