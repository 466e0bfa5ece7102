#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/import/checkpoint.h"
#include "model/import/tensor_names.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// Where a single file keeps its text encoders: transformers' CLIP (Stable Diffusion 1),
/// open_clip's (Stable Diffusion 2), or one of each (Stable Diffusion XL).
constexpr std::string_view kClipPrefix = "cond_stage_model.transformer.";
constexpr std::string_view kOpenClipPrefix = "cond_stage_model.model.";
constexpr std::string_view kFirstOfXlPrefix = "conditioner.embedders.0.transformer.";
constexpr std::string_view kSecondOfXlPrefix = "conditioner.embedders.1.model.";
constexpr std::string_view kRefinerTextPrefix = "conditioner.embedders.0.model.";

/// Whether a tensor of CLIP is one that Stable Diffusion does not read: counters, the layer behind
/// the text encoder, the half that sees images.
/// @param name without what precedes it in the file
bool is_unused_in_clip(std::string_view name);

/// Whether a file has the text encoders of Stable Diffusion XL, or one of them.
bool holds_text_of_xl(const TensorMap& tensors);

/// What open_clip calls the layers of a transformer's block, and what transformers calls them.
/// Query, key and value are one matrix there, `attn.in_proj`.
const Renames& open_clip_layer_renames();

/// The text encoders of a single file: what they are, read off the shapes, and their tensors under
/// transformers' names.
/// @param tensors of the whole file
/// @param file    named in errors
/// @param unused  gets the names of tensors that Stable Diffusion does not read
/// @throws DataError where a tensor that tells a size is missing, or one of two encoders.
std::vector<CheckpointTextEncoder> read_original_text(const TensorMap& tensors,
                                                      const std::string& file,
                                                      std::vector<std::string>& unused);

/// Leaves out what lies behind the layer whose output Stable Diffusion XL reads of its first text
/// encoder: the last layer and the final norm.
/// @param unused gets their names
void cut_first_of_xl(CheckpointTextEncoder& encoder, std::vector<std::string>& unused);

}  // namespace sdx
