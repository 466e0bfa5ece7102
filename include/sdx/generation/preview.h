#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>

#include "sdx/image/image.h"
#include "sdx/model/bundle.h"
#include "sdx/model/vae.h"

namespace sdx {

// What becomes of pictures, while they are made: the picture x₀ that the model sees in the running
// sample. Nothing of it changes the pictures.

/// Which previews are made, and how.
struct PreviewOptions {
  int every = 0;  ///< steps from one to the next; 0: none
  /// A TinyAutoencoder to decode them by, see find_tiny_autoencoder(). Empty: the one that decodes
  /// the picture itself (ImageSettings::vae_approx), else LatentColours.
  std::string tiny_autoencoder;
};

/// The running pictures of a batch.
struct Preview {
  Image image;  ///< side by side, each of the size that it will have
  int step = 0;
  int steps = 0;  ///< of the pass
};

/// Called between two steps, never for a pass's last one; may throw to stop.
using PreviewConsumer = std::function<void(const Preview& preview)>;

/// How the colour of a latent follows from its channels alone, without any neighbour: colour =
/// weight × latent + bias. A blurred picture of one pixel for each latent, which costs nothing.
struct LatentColours {
  at::Tensor weight;  ///< [3,C] float32
  at::Tensor bias;    ///< [3], for colours in −1 … 1

  /// @param latents [B,C,h,w], scaled as the UNet sees them
  /// @return        [B,3,h,w] float32 on the CPU, about −1 … 1
  at::Tensor colour(const at::Tensor& latents) const;
};

/// The published ones of the autoencoders of Stable Diffusion 1 and 2 (by keturn,
/// discuss.huggingface.co, "Decoding latents to RGB without upscaling", 2022) and XL (Timothy
/// Alexis Vass, "Explaining the SDXL latent space", 2023). Nothing for other models, which are
/// known by their scale of latents.
std::optional<LatentColours> find_latent_colours(const BundleInfo& info);

/// The best ones for an autoencoder in the sense of least squares, from patches of random colour
/// that it decodes once. Grey where what it decodes is not finite, as in half precision.
/// @param channels of a latent
LatentColours fit_latent_colours(const VaeDecoder& decoder, int channels);

}  // namespace sdx
