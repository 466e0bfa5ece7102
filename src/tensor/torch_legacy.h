#pragma once

#include <memory>
#include <span>

#include "sdx/tensor/pickle_value.h"
#include "sdx/util/file.h"

namespace sdx {

/// Whether a file begins as torch.save began its files before torch 1.6.
bool is_torch_legacy(std::span<const std::byte> bytes);

/// The older container: pickles of a magic number, a version, facts on the machine, the value and
/// the storages' keys, then each storage as its number of values (64 bits) and their bytes. There
/// are no checksums; the file must end with the last storage.
/// @throws DataError without the file's name.
PickleValue read_torch_legacy(const std::shared_ptr<MappedFile>& file);

}  // namespace sdx
