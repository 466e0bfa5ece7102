#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sdx/util/file.h"

namespace sdx {

/// Named tensors, in the order of their names.
using TensorMap = std::map<std::string, at::Tensor>;

/// The content of a `.safetensors` file.
struct Safetensors {
  TensorMap tensors;                            ///< views of the mapped file; they keep it mapped
  std::map<std::string, std::string> metadata;  ///< the header's `__metadata__`
  std::shared_ptr<MappedFile> file;             ///< what the views look at
};

/// As safetensors spells it: "F16". @throws InternalError for a dtype that it has no name for.
std::string dtype_name(at::ScalarType type);
/// @return nothing for an unknown name.
std::optional<at::ScalarType> parse_dtype(const std::string& name);

/// Maps a file into memory and gives its tensors as views: nothing is copied, pages are read when
/// they are used and given back with the last view of a tensor. The views may be written to
/// (copy-on-write); the file never changes.
///
/// The header is checked before anything is allocated: its length against the file and against
/// `max_header_bytes`, UTF-8 and JSON with no key twice and no NUL, known dtypes (F64 F32 F16 BF16
/// I64 I32 I16 I8 U8 BOOL; others that the format has, float8 for example, are refused by name),
/// shape × dtype = byte range, ranges that cover the data with no hole and no overlap. Time and
/// memory grow with the header's length, and no faster; a stop_signal() ends that of a long one.
/// Format: the safetensors project, version 0.x (8-byte length, JSON header, data).
/// @throws DataError naming the file, the tensor and what is wrong; MissingInputError, IoError;
///         Error with 128 + signal.
Safetensors map_safetensors(const std::filesystem::path& path,
                            std::size_t max_header_bytes = 100'000'000);

/// One tensor of a mapped file: a view that keeps the file mapped, and whose end gives its pages
/// back.
/// @param data inside of the file, aligned for `dtype`
at::Tensor mapped_tensor(const std::shared_ptr<MappedFile>& file, void* data, at::IntArrayRef shape,
                         at::ScalarType dtype);

/// How a file of tensors is written.
struct WriteOptions {
  std::optional<at::ScalarType> float_dtype;  ///< of all floating-point tensors; nothing: as it is
  /// Called with each tensor, as it was written; may throw to stop, and nothing is left.
  std::function<void(const std::string& name, const at::Tensor& tensor)> observe;
};

/// Writes contiguous copies of `tensors` (any device), atomically, data aligned to 8 bytes. The
/// same tensors and metadata give the same bytes. Copied and converted tensor by tensor: the memory
/// needed is that of the largest.
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       const WriteOptions& options = {});

}  // namespace sdx
