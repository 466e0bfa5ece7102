#pragma once

#include "sdx/model/lora.h"

namespace sdx {

/// Gives layers without an alpha of their own the one that diffusers and PEFT state for all: in the
/// metadata (`lora_adapter_metadata`), or in a file `adapter_config.json` beside
/// `adapter_model.safetensors`.
/// @throws DataError for such a file that is no JSON.
void apply_stated_alphas(Lora& lora);

}  // namespace sdx
