#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "sdx/generation/settings.h"

namespace sdx {

/// The starting noise of a seed, [1,channels,height,width] float32, unit variance.
at::Tensor seed_latents(std::uint64_t seed, int channels, int height, int width);

/// The starting noise of a picture: its seed's, turned towards its variation seed's by spherical
/// interpolation, as AUTOMATIC1111 does.
at::Tensor start_noise(const ImageRequest& request, int channels, int height, int width);

/// The way from `a` to `b` on the sphere: slerp over all values of a row of the first dimension,
/// linear where the two are almost parallel. Source: Shoemake 1985.
at::Tensor spherical_interpolation(const at::Tensor& a, const at::Tensor& b, double fraction);

/// The passes of a picture: their noise on the way differs.
enum class Pass { kFirst, kHires };

/// Fresh noise on a sampler's way, the same for a seed, pass and draw whatever came before.
at::Tensor sampler_noise(std::uint64_t seed, Pass pass, int draw, int channels, int height,
                         int width);

}  // namespace sdx
