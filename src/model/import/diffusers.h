#pragma once

#include <filesystem>

#include "model/import/checkpoint.h"
#include "sdx/model/import/import.h"

namespace sdx {

/// diffusers' folder layout: model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/.
/// Of the options it heeds the variant and the prediction type.
ModelCheckpoint read_diffusers_folder(const std::filesystem::path& folder,
                                      const ImportOptions& options);

/// The autoencoder of a folder with config.json and weights, into the checkpoint, with its scale.
void read_vae_folder(const std::filesystem::path& folder, const ImportOptions& options,
                     ModelCheckpoint& checkpoint);

/// An autoencoder's tensors under the names that diffusers gives them today. Before its version
/// 0.15 the attention had names of its own; some files hold its matrices as 1 × 1 convolutions.
TensorMap canonical_vae_weights(const TensorMap& tensors);

}  // namespace sdx
