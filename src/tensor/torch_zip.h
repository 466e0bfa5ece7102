#pragma once

#include <memory>

#include "sdx/tensor/torch_file.h"
#include "sdx/util/file.h"

namespace sdx {

/// The container of torch.save since torch 1.6: a zip archive of `<root>/data.pkl` and a
/// `<root>/data/<key>` for each storage.
/// @throws DataError without the file's name.
PickleValue read_torch_zip(const std::shared_ptr<MappedFile>& file, TorchChecks checks);

}  // namespace sdx
