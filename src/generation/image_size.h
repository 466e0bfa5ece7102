#pragma once

#include "sdx/generation/settings.h"
#include "sdx/model/bundle.h"
#include "sdx/model/conditioning.h"

namespace sdx {

/// What the settings say, or else what the model was trained at.
ImageSize image_size(const ImageSettings& settings, const BundleInfo& info);

/// Of a picture as the VAE encodes it.
struct LatentSize {
  int channels;
  int height;
  int width;
};

/// @param scale of the second pass.
LatentSize latent_size(const ImageSettings& settings, const BundleInfo& info, double scale = 1);

}  // namespace sdx
