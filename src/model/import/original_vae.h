#pragma once

#include <string>

#include "model/import/programs.h"
#include "model/import/tensor_names.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// A VAE in the original layout of latent diffusion: what it is, read off the shapes, and its
/// tensors under diffusers' names.
struct OriginalVae {
  VaeConfig config;
  TensorMap tensors;
  FileNames names;
};

/// What an autoencoder is, read off the shapes of its tensors under diffusers' names.
/// @throws DataError where a tensor that tells a size is missing.
VaeConfig read_vae_shapes(const TensorMap& tensors, const std::string& file);

/// @param tensors without the prefix `first_stage_model.`
/// @param file    named in errors
/// @throws DataError where a tensor that tells a size is missing.
OriginalVae read_original_vae(const TensorMap& tensors, const std::string& file);

}  // namespace sdx
