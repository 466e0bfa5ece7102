#pragma once

#include <map>
#include <string>
#include <vector>

#include "sdx/model/bundle.h"
#include "sdx/model/lora.h"

namespace sdx {

/// The part of a model that its files call by this name: "unet", "text_encoder_2".
/// @return empty if the model does not have it.
std::string find_part_name(const BundleInfo& info, LoraPart part);

/// A weight that a layer of a LoRA may change.
struct LoraTarget {
  std::string parameter;            ///< "mid_block.attentions.0.proj_in.weight"
  std::vector<std::int64_t> shape;  ///< of it
  int third = -1;  ///< 0, 1 or 2: it is this third of what the layer's name means; -1: all of it
};

/// The weights of one part, by every name that LoRAs call them by (LoraLayer::path): diffusers' of
/// today and before, and the original layout's.
class LoraTargets {
 public:
  /// @param shapes of all weights of the part, by parameter
  LoraTargets(LoraPart part, const std::map<std::string, std::vector<std::int64_t>>& shapes);

  /// @return null for a name that the part does not have; else one weight, or three.
  const std::vector<LoraTarget>* find(const std::string& path) const;

 private:
  void add(const std::string& dotted, const LoraTarget& target);

  std::map<std::string, std::vector<LoraTarget>> targets_;
};

/// What the original layout of latent diffusion calls the layers of a UNet, by diffusers' names of
/// them: the reverse of read_original_unet(), by the same tables.
/// @param names without ".weight"
std::map<std::string, std::string> list_original_names(const std::vector<std::string>& names);

/// The targets of a model's part.
/// @throws as MappedWeights::find; DataError if the weights lie inside of the part's program.
LoraTargets list_lora_targets(const Bundle& bundle, LoraPart part);

}  // namespace sdx
