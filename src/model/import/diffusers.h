#pragma once

#include <filesystem>

#include "model/import/checkpoint.h"
#include "sdx/model/import/import.h"

namespace sdx {

/// diffusers' folder layout: model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/.
/// Of the options it heeds the variant and the prediction type.
ModelCheckpoint read_diffusers_folder(const std::filesystem::path& folder,
                                      const ImportOptions& options);

}  // namespace sdx
