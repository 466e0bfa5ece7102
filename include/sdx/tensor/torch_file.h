#pragma once

#include <filesystem>
#include <string>

#include "sdx/tensor/pickle_value.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// Which of a file's checksums are compared with its bytes: all of them (a gigabyte takes about a
/// second), or the pickle's only, so that a tensor's pages are not read before it is used.
enum class TorchChecks { kAll, kPickleOnly };

/// Reads a file that torch.save wrote (.ckpt, .pt, .bin): the zip archive of torch 1.6 and newer,
/// or the container before it, which has no checksums. Such a file holds a *pickle*, a small
/// program for Python, and opening it elsewhere can run anything. Here nothing is run: the opcodes
/// for plain data are understood, and the few classes and functions that stand for tensors and
/// dicts are known by name. Other data (numpy's arrays, dates, objects of a training program) are
/// kept as the names of their classes. A name that would be called and is not known is refused with
/// a message that says it, and so is any name of a module that reaches the system.
///
/// Tensors are views of the mapped file, as those of map_safetensors(): F64 F32 F16 BF16 I64 I32
/// I16 I8 U8 BOOL, on the CPU whatever device they were saved from, strided as they were saved. All
/// sizes are checked before anything is allocated: no file makes more memory than its own size and
/// half a gigabyte; tensors that are expanded from few values (a stride of 0) have at most 64 MiB.
/// Limits: a pickle of 256 MiB, two million values, 100 levels.
/// Format: torch/serialization.py of PyTorch 1.0 to 2.13.
/// @throws DataError naming the file, the place and what is wrong; MissingInputError, IoError.
PickleValue read_torch_file(const std::filesystem::path& path,
                            TorchChecks checks = TorchChecks::kAll);

/// The tensors that stand directly in `dict` under texts (a state_dict, the `string_to_param` of an
/// embedding); what is no tensor is left out. `where` names the dict in messages.
/// @throws DataError if `dict` is null or no dict, or a key stands in it twice.
TensorMap list_tensors(const PickleValue* dict, const std::string& where);

}  // namespace sdx
