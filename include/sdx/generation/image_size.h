#pragma once

#include <ATen/core/Tensor.h>

#include "sdx/generation/settings.h"
#include "sdx/model/bundle.h"
#include "sdx/model/conditioning.h"

namespace sdx {

/// The size of a picture, as the settings say. Else it is a shape of about the area that the model
/// was trained at, a square by default.
ImageSize image_size(const ImageSettings& settings, const BundleInfo& info);

/// Of a picture as the VAE encodes it.
struct LatentSize {
  int channels = 0;
  int height = 0;
  int width = 0;
};

/// Zeros in the place of what an inpainting model reads behind the latents, to measure with;
/// undefined for other models.
at::Tensor make_nothing_beside(const LatentSize& size, const BundleInfo& info);

/// @param scale of the second pass.
LatentSize latent_size(const ImageSettings& settings, const BundleInfo& info, double scale = 1);

}  // namespace sdx
