#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/import/programs.h"
#include "model/import/tensor_names.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// Where a single file keeps its text encoder: transformers' CLIP (Stable Diffusion 1) or
/// open_clip's (Stable Diffusion 2).
constexpr std::string_view kClipPrefix = "cond_stage_model.transformer.";
constexpr std::string_view kOpenClipPrefix = "cond_stage_model.model.";

/// Whether a tensor of CLIP is one that Stable Diffusion does not read: counters, the layer behind
/// the text encoder, the half that sees images.
/// @param name without what precedes it in the file
bool is_unused_in_clip(std::string_view name);

/// The text encoder of a single file: what it is, read off the shapes, and its tensors under
/// transformers' names.
struct OriginalText {
  TextEncoderConfig config;
  TensorMap tensors;
  FileNames names;
  bool is_open_clip = false;
};

/// @param tensors of the whole file
/// @param file    named in errors
/// @param unused  gets the names of tensors that Stable Diffusion does not read
/// @throws DataError where a tensor that tells a size is missing.
OriginalText read_original_text(const TensorMap& tensors, const std::string& file,
                                std::vector<std::string>& unused);

}  // namespace sdx
