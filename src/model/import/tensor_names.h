#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdx/tensor/safetensors.h"

namespace sdx {

/// Where a single file keeps its UNet and its VAE.
inline constexpr std::string_view kUNetPrefix = "model.diffusion_model.";
inline constexpr std::string_view kVaePrefix = "first_stage_model.";

/// What tensors are called in their file, by the names that we give them.
using FileNames = std::map<std::string, std::string>;

/// Questions to a map of tensors whose names tell how a model is built, and changes of those names.

bool holds(const TensorMap& tensors, const std::string& name);
bool holds_prefix(const TensorMap& tensors, std::string_view prefix);

/// The tensors under a prefix, without it.
TensorMap without_prefix(const TensorMap& tensors, std::string_view prefix);

/// One size of a tensor that says how large the model is.
/// @throws DataError naming `file` if there is no such tensor or it has too few dimensions.
int read_size(const TensorMap& tensors, const std::string& name, std::int64_t dimension,
              const std::string& file);

/// How many of before + "0" + after, before + "1" + after, … there are without a gap.
int count_indices(const TensorMap& tensors, const std::string& before, const std::string& after);

/// Old names (or beginnings of names) and what takes their place.
using Renames = std::vector<std::pair<std::string, std::string>>;

/// Applies the first rename whose old name begins the text and ends where a component ends.
std::string rename_beginning(const std::string& name, const Renames& renames);

}  // namespace sdx
