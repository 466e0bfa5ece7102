#pragma once

#include <filesystem>

#include "sdx/tensor/pickle_value.h"

namespace sdx {

/// Writes a file that torch.load(weights_only=True) reads, and read_torch_file() too: the zip
/// archive of torch 1.6 and newer, with a pickle of protocol 2, atomically. Of the kinds of values
/// those that files of weights need: None, whole numbers, texts (UTF-8), dicts, and float32 tensors
/// (any device; written contiguous, as CPU tensors). The same value gives the same bytes.
/// Format: torch/serialization.py and torch/_weights_only_unpickler.py of PyTorch 2.13.
/// @throws InternalError for another kind of value; as AtomicFile.
void write_torch_file(const std::filesystem::path& path, const PickleValue& value);

}  // namespace sdx
