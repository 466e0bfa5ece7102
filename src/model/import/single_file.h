#pragma once

#include <filesystem>

#include "model/import/checkpoint.h"
#include "sdx/model/import/import.h"

namespace sdx {

/// A single file in the original layout of latent diffusion (`model.diffusion_model.*`,
/// `first_stage_model.*`, `cond_stage_model.*`), `.safetensors` or `.ckpt`. The sizes of the model
/// are read off the shapes of its tensors. Of the options it heeds the prediction type.
/// Source of the names: CompVis/stable-diffusion, open_clip; diffusers' single_file_utils.py.
ModelCheckpoint read_single_file(const std::filesystem::path& file, const ImportOptions& options);

}  // namespace sdx
