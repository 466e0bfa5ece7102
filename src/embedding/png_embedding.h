#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "sdx/tensor/safetensors.h"

namespace sdx {

/// What AUTOMATIC1111 puts into a picture of an embedding.
struct PngEmbedding {
  TensorMap tensors;                            ///< float64, as JSON has it: `string_to_param`
  std::map<std::string, std::string> metadata;  ///< the texts and numbers beside it: `name`, `step`
};

/// The embedding in the text chunk `sd-ti-embedding` of a PNG: base64 of JSON, in which a tensor is
/// {"TORCHTENSOR": nested lists}. Nothing if there is no such chunk. The same data are also hidden
/// in the picture's pixels, from where they are not read.
/// Source: modules/textual_inversion/image_embedding.py of AUTOMATIC1111's web UI.
/// @throws DataError naming the file; MissingInputError, IoError.
std::optional<PngEmbedding> read_png_embedding(const std::filesystem::path& file);

/// Whether a file is a PNG with that text chunk, whatever is in it. False for what cannot be read.
bool is_png_embedding(const std::filesystem::path& file);

}  // namespace sdx
