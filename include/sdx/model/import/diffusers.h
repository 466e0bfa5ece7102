#pragma once

#include <filesystem>
#include <string>

#include "sdx/model/bundle.h"

namespace sdx {

/// Turns a checkpoint in diffusers' folder layout (model_index.json, unet/, vae/, text_encoder/,
/// tokenizer/, scheduler/) of the Stable Diffusion 1 anatomy, at any width, into a bundle: the
/// TorchScript programs are composed from the configs, the weights are copied as they are. Nothing
/// of the checkpoint is executed, and no Python is needed.
///
/// A file `sdx.json` in the folder may recommend settings: `licence`, `guidance_scale`,
/// `init_text`. The bundle appears whole or not at all. Peak memory is that of the programs;
/// weights are mapped.
/// @param checkpoint  the folder
/// @param destination the bundle's folder; an existing one is replaced only with `replace`
/// @param name        what the bundle calls itself
/// @throws DataError for a config value that this anatomy does not have (key, found, expected), and
///         for a tensor that is missing, misshapen or unknown (name, expected and found shape);
///         MissingInputError naming the file; CannotCreateError if `destination` exists.
BundleInfo import_diffusers(const std::filesystem::path& checkpoint,
                            const std::filesystem::path& destination, const std::string& name,
                            bool replace);

}  // namespace sdx
