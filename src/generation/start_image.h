#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "sdx/generation/settings.h"
#include "sdx/model/vae.h"

namespace sdx {

/// A start image as a pass needs it.
struct PreparedStart {
  Image image;                ///< cropped in its middle and resized to the picture's size
  at::Tensor latents;         ///< [1,4,h,w] float32 on the VAE's device, the mean of the VAE's
  std::optional<Image> mask;  ///< of the picture's size, its edge softened
  at::Tensor latent_mask;  ///< [1,1,h,w] in 0 … 1, 1 where the picture is made anew; or undefined
};

/// @param factor pixels to a latent.
PreparedStart prepare_start(const StartImage& start, int width_px, int height_px, int factor,
                            const VaeEncoder& encoder);

/// What the UNet of an inpainting model reads behind the latents: [1,1+C,h,w] float32 on the VAE's
/// device, the mask (1 where the picture is made anew) and the latents of the start image, grey
/// where the mask is white. Without a start image or a mask everything is made anew.
at::Tensor encode_masked(const StartImage* start, int width_px, int height_px, int factor,
                         const VaeEncoder& encoder);

/// The made picture where the mask is white, the start image where it is black.
Image pasted(const Image& made, const PreparedStart& start);

}  // namespace sdx
