#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/import/programs.h"
#include "model/linked_weights.h"
#include "sdx/model/bundle.h"
#include "sdx/model/import/import.h"
#include "sdx/scheduler/noise_schedule.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// The weights of one part, under the names of diffusers and transformers.
struct PartWeights {
  TensorMap tensors;
  std::string source;  ///< the file, named in errors
};

/// A checkpoint as its reader understood it, whatever its layout: this is all that a bundle is made
/// from.
struct Checkpoint {
  TextEncoderConfig text_config;
  UNetConfig unet_config;
  VaeConfig vae_config;
  PartWeights text_encoder;
  PartWeights unet;
  PartWeights vae;
  NoiseScheduleConfig noise_schedule;
  double latent_scale = 0.18215;
  int native_size_px = 512;
  std::filesystem::path tokenizer_folder;
  TokenizerSettings tokenizer;
  std::string licence;
  std::optional<double> guidance_scale;
  std::optional<std::string> init_text;
  std::vector<SourceFile> files;     ///< what links may lead into
  std::vector<std::string> unused;   ///< tensors that have no place in the model, by design
  std::vector<std::string> remarks;  ///< what was chosen for the user, a sentence each
};

/// diffusers' folder layout: model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/.
/// Of the options it heeds the variant and the prediction type.
Checkpoint read_diffusers_folder(const std::filesystem::path& folder, const ImportOptions& options);

/// A single file in the original layout of latent diffusion (`model.diffusion_model.*`,
/// `first_stage_model.*`, `cond_stage_model.*`), `.safetensors` or `.ckpt`. The sizes of the model
/// are read off the shapes of its tensors. Of the options it heeds the prediction type.
/// Source of the names: CompVis/stable-diffusion, open_clip; diffusers' single_file_utils.py.
Checkpoint read_single_file(const std::filesystem::path& file, const ImportOptions& options);

/// All tensors of a `.safetensors` file or of one of PyTorch's own, nothing executed.
struct TensorFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
  std::optional<SourceFile> source;         ///< nothing for PyTorch's files: no links into them
  std::optional<std::int64_t> global_step;  ///< of the training, where the file says it
};

/// @throws as map_safetensors and read_torch_file.
TensorFile map_tensor_file(const std::filesystem::path& path);

}  // namespace sdx
