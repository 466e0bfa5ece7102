#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sdx/util/file.h"

namespace sdx {

/// More than libtorch's own operations take.
inline constexpr std::size_t kMaxDimensions = 64;

/// A storage as a pickle of torch.save refers to it: the array that one or several tensors view.
struct TorchStorage {
  std::string key;  ///< its name in the file
  at::ScalarType dtype;
  std::uint64_t bytes;  ///< number of values × size of one, checked for overflow
};

/// The dtype of `torch.<name>` for names like "FloatStorage", or none for what is no storage class
/// or holds values that a tensor of ours cannot (complex, quantised).
std::optional<at::ScalarType> storage_dtype(const std::string& name);

/// `bytes`, which lie in `file`, as a tensor [values]: a view that keeps `file` mapped, or a copy
/// where the bytes are not aligned to the dtype, as in files older than torch 1.6.
/// @throws DataError if a bool is neither 0 nor 1.
at::Tensor storage_tensor(std::span<std::byte> bytes, at::ScalarType dtype,
                          const std::shared_ptr<MappedFile>& file);

/// The tensor of these sizes and strides, in values, that begins at value `offset` of `storage`.
/// Strides of 0, as expand() makes them, give more values than the storage has.
/// @throws DataError if it is not wholly inside.
at::Tensor storage_view(const at::Tensor& storage, std::int64_t offset, at::IntArrayRef sizes,
                        at::IntArrayRef strides);

}  // namespace sdx
