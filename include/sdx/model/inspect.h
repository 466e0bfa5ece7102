#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdx/model/bundle.h"

namespace sdx {

/// One part of a model as its files describe it.
struct PartSummary {
  std::string name;             ///< of its files: text_encoder, unet, vae
  std::int64_t parameters = 0;  ///< numbers in its weights
  std::uint64_t bytes = 0;      ///< of the weights on disk
  std::string dtype;            ///< as safetensors spells it, of most of them: "F16"
  bool linked = false;          ///< they lie in the checkpoint that was imported with --link
};

/// Text encoders, UNet and VAE. Weights are looked at, not read: this takes milliseconds. A part
/// whose program carries its own weights is summed up as none.
std::vector<PartSummary> summarise_parts(const Bundle& bundle);

/// What is wrong with a bundle, a sentence each: files that are missing, changed, or not in the
/// manifest; links to checkpoints that were moved or changed. Reads every byte.
std::vector<std::string> find_damage(const Bundle& bundle);

}  // namespace sdx
