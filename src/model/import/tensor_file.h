#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "model/linked_weights.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// All tensors of a safetensors file or of one of PyTorch's own, whatever it is called; nothing is
/// executed. Of PyTorch's the dict that holds the weights, wherever training programs put it.
struct TensorFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
  std::optional<SourceFile> source;         ///< nothing for PyTorch's files: no links into them
  std::optional<std::int64_t> global_step;  ///< of the training, where the file says it
};

/// @throws MissingInputError or PermissionError, before anything else is said of a file or folder.
void require_readable(const std::filesystem::path& source);

/// @throws as find_container, map_safetensors and read_torch_file; DataError with the keys that
/// there
///         are if no dict holds tensors.
TensorFile map_tensor_file(const std::filesystem::path& path);

}  // namespace sdx
