#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/import/programs.h"
#include "model/import/tensor_names.h"
#include "model/linked_weights.h"
#include "sdx/model/bundle.h"
#include "sdx/scheduler/noise_schedule.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// The weights of one part, under the names of diffusers and transformers.
struct PartWeights {
  TensorMap tensors;
  std::string source;    ///< the file, named in errors
  FileNames names = {};  ///< where they are called otherwise in the file
};

/// Latents are so many times what the VAE's encoder gives: of Stable Diffusion 1 and 2, and of XL.
constexpr double kUsualLatentScale = 0.18215;
constexpr double kLatentScaleOfXl = 0.13025;

/// One text encoder of a checkpoint.
struct CheckpointTextEncoder {
  TextEncoderConfig config;
  PartWeights weights;
  std::optional<std::int64_t> pad = {};  ///< where it is not the tokenizer's
};

/// A checkpoint as its reader understood it, whatever its layout: this is all that a bundle is made
/// from.
struct ModelCheckpoint {
  /// One, or the two of Stable Diffusion XL; the last one gives the pooled vector.
  std::vector<CheckpointTextEncoder> text_encoders;
  UNetConfig unet_config;
  VaeConfig vae_config;
  PartWeights unet;
  PartWeights vae;
  std::optional<IdentityConfig> identity_config;
  PartWeights identity;  ///< empty without identity_config
  NoiseScheduleConfig noise_schedule;
  double latent_scale = kUsualLatentScale;
  std::vector<double> latent_mean;  ///< this and the next: see BundleInfo
  std::vector<double> latent_deviation;
  int native_size_px = 512;
  bool zero_empty_negative = false;  ///< see BundleInfo
  std::filesystem::path tokenizer_folder;
  TokenizerSettings tokenizer;
  std::string licence;
  std::optional<double> guidance_scale;  ///< this and the next: see SamplingAdvice
  std::optional<SamplerKind> sampler;
  std::optional<std::string> init_text;
  std::vector<std::string> known_words;
  std::vector<SourceFile> files;     ///< what links may lead into
  std::vector<std::string> unused;   ///< tensors that have no place in the model, by design
  std::vector<std::string> remarks;  ///< what was chosen for the user, a sentence each
  /// Embeddings of words that the tokenizers were given in training, by their names: [K,W] for each
  /// text encoder.
  std::map<std::string, std::vector<at::Tensor>> learnt;

  /// P of the pooled vector that the text encoders give; 0: they give none.
  int pooled_width() const { return text_encoders.back().config.pooled_width; }
};

}  // namespace sdx
