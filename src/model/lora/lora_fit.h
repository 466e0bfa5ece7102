#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/lora/lora_targets.h"
#include "sdx/model/lora.h"

namespace sdx {

/// A layer of a LoRA, and the weight that it changes.
struct LoraPatch {
  const LoraLayer* layer;
  int third = -1;  ///< see LoraTarget
};

/// Pairs the layers of one part with its weights.
/// @param info of the model
/// @param fit gets counts and names of what does not pair
/// @return by parameter
std::map<std::string, std::vector<LoraPatch>> pair_layers(const Lora& lora, LoraPart part,
                                                          const LoraTargets& targets,
                                                          const BundleInfo& info, LoraFit& fit);

}  // namespace sdx
