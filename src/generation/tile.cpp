#include "generation/tile.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>

namespace sdx {

namespace {

constexpr std::int64_t kMargin = 8;  ///< latents: further than a pixel of the VAE looks

/// `x` with the other end's margin at both ends of a side.
at::Tensor surrounded(const at::Tensor& x, std::int64_t side, std::int64_t margin) {
  return at::cat({x.narrow(side, x.size(side) - margin, margin), x, x.narrow(side, 0, margin)},
                 side);
}

}  // namespace

std::vector<std::int64_t> tile_shift(int step, const at::Tensor& sample) {
  constexpr double kGoldenRatio = 0.6180339887;  // no small number of steps comes round to a place
  const double part = std::fmod((step + 1) * kGoldenRatio, 1);
  return {static_cast<std::int64_t>(part * static_cast<double>(sample.size(2))),
          static_cast<std::int64_t>(part * static_cast<double>(sample.size(3)))};
}

at::Tensor decode_tile(const VaeDecoder& decoder, const at::Tensor& latents, int factor) {
  const std::int64_t margin = std::min({kMargin, latents.size(2), latents.size(3)});
  return decoder.decode(surrounded(surrounded(latents, 3, margin), 2, margin))
      .narrow(2, margin * factor, latents.size(2) * factor)
      .narrow(3, margin * factor, latents.size(3) * factor);
}

}  // namespace sdx
