#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "sdx/model/vae.h"

namespace sdx {

// A tile is a picture whose edges fit each other. The networks' convolutions cannot see over an
// edge; so the picture is rolled, by another way in each step, and its edges never lie twice in one
// place.

/// How far the sample of a step is rolled down and right before the UNet sees it.
std::vector<std::int64_t> tile_shift(int step, const at::Tensor& sample);

/// Decodes latents [1,4,h,w] with their surroundings, which are themselves.
/// @param factor pixels to a latent.
at::Tensor decode_tile(const VaeDecoder& decoder, const at::Tensor& latents, int factor);

}  // namespace sdx
