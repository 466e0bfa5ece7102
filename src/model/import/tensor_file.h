#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "model/linked_weights.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// All tensors of a `.safetensors` file or of one of PyTorch's own, nothing executed.
struct TensorFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
  std::optional<SourceFile> source;         ///< nothing for PyTorch's files: no links into them
  std::optional<std::int64_t> global_step;  ///< of the training, where the file says it
};

/// @throws as map_safetensors and read_torch_file.
TensorFile map_tensor_file(const std::filesystem::path& path);

}  // namespace sdx
