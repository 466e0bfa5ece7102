#pragma once

#include "generation/origin_texts.h"

namespace sdx::origin {

/// ComfyUI's way: the graph of nodes that it computes, as JSON.
bool is_comfy(const Texts& texts);
void read_comfy(const Texts& texts, ImageOrigin& origin);

}  // namespace sdx::origin
