#pragma once

#include <string>
#include <vector>

#include "model/import/composer.h"

namespace sdx {

/// CLIPTextModel of transformers.
struct TextEncoderConfig {
  int width = 768;
  int inner_width = 3072;
  int layers = 12;
  int heads = 12;
  int positions = 77;
  int vocabulary = 49408;
  bool quick_gelu = true;  ///< x·sigmoid(1.702·x) (CLIP-L) instead of GELU (OpenCLIP)
  double norm_epsilon = 1e-5;
};

/// Methods embed(ids) and encode(embeddings, skip_last), see docs/formats.md.
Composer::Program compose_text_encoder(const TextEncoderConfig& config, const TensorMap& weights,
                                       const std::string& weights_file);

/// UNet2DConditionModel of diffusers, as Stable Diffusion 1 and 2 use it.
struct UNetConfig {
  std::vector<int> channels;          ///< of each level, finest first
  std::vector<bool> level_attention;  ///< whether a level has transformers
  std::vector<int> level_heads;       ///< heads of each level's transformers
  int layers_per_level = 2;
  int transformer_depth = 1;
  int context_width = 768;
  int norm_groups = 32;
  double norm_epsilon = 1e-5;
  bool linear_projection = false;  ///< linear instead of 1×1 convolution around the transformer
};

/// Methods forward(sample, timestep, context) and its segments time, down, mid, up_i, head.
Composer::Program compose_unet(const UNetConfig& config, const TensorMap& weights,
                               const std::string& weights_file);

/// AutoencoderKL of diffusers.
struct VaeConfig {
  std::vector<int> channels;  ///< of each level, finest first
  int layers_per_level = 2;
  int latent_channels = 4;
  int norm_groups = 32;
  bool middle_attention = true;
};

/// Method forward(image) -> moments.
Composer::Program compose_vae_encoder(const VaeConfig& config, const TensorMap& weights,
                                      const std::string& weights_file);
/// Method forward(latents) -> image.
Composer::Program compose_vae_decoder(const VaeConfig& config, const TensorMap& weights,
                                      const std::string& weights_file);

/// The built-in model's network that tells its people apart: convolutions of stride 2 over the
/// picture at half its size, two linear layers, a unit vector.
struct IdentityConfig {
  int size_px = 128;          ///< side of the pictures
  std::vector<int> channels;  ///< of each convolution
  int hidden_width = 0;
  int width = 0;  ///< of the vector
  double same_person_cosine = 0;
};

/// Method forward(image[B,3,S,S] in −1 … 1) -> [B,width].
Composer::Program compose_identity(const IdentityConfig& config, const TensorMap& weights,
                                   const std::string& weights_file);

}  // namespace sdx
