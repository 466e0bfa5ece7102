#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"

namespace sdx {

/// A file of a checkpoint, mapped; tensors are views of it.
struct SourceFile {
  std::filesystem::path path;
  std::shared_ptr<MappedFile> mapping;
};

/// Writes where each tensor lies in the files that it is a view of: the file's absolute path, size,
/// time of change and SHA-256; the tensor's dtype, shape and place in bytes.
/// @param heed  called now and then while the files are hashed; may throw to stop
/// @throws DataError for a tensor that is no contiguous view of one of the files.
void write_linked_weights(const std::filesystem::path& path, const TensorMap& tensors,
                          const std::vector<SourceFile>& files, const std::function<void()>& heed);

/// The tensors again, as views of the files where they lie.
/// @throws MissingInputError for a file that was moved; DataError for one that has changed since:
///         another size, or another hash where only its time differs.
TensorMap map_linked_weights(const std::filesystem::path& path);

/// Hashes the files that are linked to, whatever their time says. @throws as map_linked_weights.
void verify_linked_weights(const std::filesystem::path& path);

}  // namespace sdx
