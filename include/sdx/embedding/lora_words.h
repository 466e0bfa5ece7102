#pragma once

#include <filesystem>
#include <vector>

#include "sdx/embedding/embedding.h"

namespace sdx {

/// The words inside of a LoRA, which their maker trained with it: AUTOMATIC1111's
/// `bundle_emb.<name>.string_to_param.*`, and for SDXL `bundle_emb.<name>.clip_l` and `.clip_g`.
/// @param file safetensors or of torch.save
/// @return empty if there are none
/// @throws DataError for a name that no word can have, a tensor of another ending, vectors that are
///         not [W] or [K,W] of finite floating-point numbers, and halves of different sizes;
///         as map_safetensors() and read_torch_file().
std::vector<Embedding> read_lora_words(const std::filesystem::path& file);

}  // namespace sdx
