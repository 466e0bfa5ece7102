#pragma once

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

/// A checkpoint as its reader understood it, whatever its layout: this is all that a bundle is made
/// from.
struct ModelCheckpoint {
  TextEncoderConfig text_config;
  UNetConfig unet_config;
  VaeConfig vae_config;
  PartWeights text_encoder;
  PartWeights unet;
  PartWeights vae;
  std::optional<IdentityConfig> identity_config;
  PartWeights identity;  ///< empty without identity_config
  NoiseScheduleConfig noise_schedule;
  double latent_scale = 0.18215;
  int native_size_px = 512;
  std::filesystem::path tokenizer_folder;
  TokenizerSettings tokenizer;
  std::string licence;
  std::optional<double> guidance_scale;
  std::optional<std::string> init_text;
  std::vector<std::string> known_words;
  std::vector<SourceFile> files;     ///< what links may lead into
  std::vector<std::string> unused;   ///< tensors that have no place in the model, by design
  std::vector<std::string> remarks;  ///< what was chosen for the user, a sentence each
  /// Embeddings [K,W] of words that the tokenizer was given in training, by their names.
  std::map<std::string, at::Tensor> learnt;
};

}  // namespace sdx
