#pragma once

#include <optional>
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
  bool norms_output = true;  ///< whether what the UNet attends to went through the final norm
  /// P of the vector for the whole text, which is the last layer's; what the UNet attends to is
  /// then the layer's before. 0: there is no such vector.
  int pooled_width = 0;

  /// Layers behind which the UNet reads.
  int read_layers() const { return pooled_width > 0 ? layers - 1 : layers; }
};

/// Methods embed(ids) and encode(embeddings, skip_last), or encode_pooled(embeddings, skip_last,
/// ends) of an encoder with a pooled vector; see docs/formats.md.
Composer::Program compose_text_encoder(const TextEncoderConfig& config, const TensorMap& weights,
                                       const std::string& weights_file);

/// UNet2DConditionModel of diffusers, as Stable Diffusion 1, 2 and XL use it. A transformer's depth
/// is how many blocks it has; 0: the layer has none.
struct UNetConfig {
  int in_channels = 4;                        ///< of what it reads
  int out_channels = 4;                       ///< of the latents, which it writes
  std::vector<int> channels;                  ///< of each level, finest first
  std::vector<int> level_heads;               ///< heads of each level's transformers
  int layers_per_level = 2;                   ///< on the way down; one more on the way up
  std::vector<std::vector<int>> down_depths;  ///< of each level, finest first, and layer
  std::vector<std::vector<int>> up_depths;    ///< the same, layers in the order of computing
  std::optional<int> middle_depth = 1;        ///< of the middle block; nothing: there is none
  int context_width = 768;
  int pooled_width = 0;  ///< P; 0: the UNet takes neither a pooled vector nor size ids
  int norm_groups = 32;
  double norm_epsilon = 1e-5;
  bool linear_projection = false;  ///< linear instead of 1×1 convolution around the transformer
};

/// Numbers that an SDXL is told of the image's size, see make_size_ids(); and how many sines and
/// cosines each becomes.
constexpr int kSizeIds = 6;
constexpr int kSizeIdWidth = 256;

/// Methods forward(sample, timestep, context) and its segments time, down, mid, up_i, head; where
/// there is a pooled vector, it and the size ids follow.
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
