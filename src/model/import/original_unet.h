#pragma once

#include <map>
#include <string>

#include "model/import/programs.h"
#include "model/import/tensor_names.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// A UNet in the original layout of latent diffusion, whose blocks are counted through
/// (`input_blocks.4.1`): what it is, read off the shapes, and its tensors under diffusers' names.
struct OriginalUNet {
  UNetConfig config;
  TensorMap tensors;
  FileNames names;
};

/// @param tensors without the prefix `model.diffusion_model.`
/// @param file    named in errors
/// @throws DataError where a tensor that tells a size is missing.
OriginalUNet read_original_unet(const TensorMap& tensors, const std::string& file);

/// What the layers of a resnet are called there, and what diffusers calls them.
const Renames& original_resnet_renames();

/// The same of the layers before and behind the blocks.
const Renames& original_end_renames();

/// The names that tensors of such a UNet can have, by the same names without their dots: so the
/// averaged weights of a training are called (`model_ema.diffusion_modelinput_blocks00weight`).
std::map<std::string, std::string> list_names_without_dots();

}  // namespace sdx
