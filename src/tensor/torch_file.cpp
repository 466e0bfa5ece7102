#include "sdx/tensor/torch_file.h"

#include <algorithm>

#include "sdx/tensor/container.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"
#include "tensor/byte_reader.h"
#include "tensor/torch_legacy.h"
#include "tensor/torch_zip.h"

namespace sdx {

PickleValue read_torch_file(const std::filesystem::path& path, TorchChecks checks) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  try {
    constexpr std::string_view kZip = "PK\x03\x04";
    if (bytes.size() >= kZip.size() && ByteReader(bytes).text(kZip.size()) == kZip) {
      return read_torch_zip(file, checks);
    }
    if (is_torch_legacy(bytes)) return read_torch_legacy(file);
  } catch (const DataError& error) {
    throw DataError(path.string() + ": cannot be read as a file of torch.save: " + error.what());
  }
  const auto start = ByteReader(bytes).text(std::min<std::size_t>(bytes.size(), 512));
  const std::string what = describe_foreign_file(start);
  throw DataError(path.string() + ": expected a file of torch.save, " +
                  (what.empty() ? "but it begins with neither of its two marks" : "found " + what));
}

TensorMap list_tensors(const PickleValue* dict, const std::string& where) {
  if (dict == nullptr || dict->dict() == nullptr) {
    throw DataError(where + ": expected a dict of tensors, found " +
                    (dict == nullptr ? "nothing" : dict->description()));
  }
  TensorMap tensors;
  for (const auto& [key, value] : *dict->dict()) {
    if (key.text() == nullptr || value.tensor() == nullptr) continue;
    if (!tensors.emplace(*key.text(), *value.tensor()).second) {
      throw DataError(where + ": the key " + in_quotes(*key.text()) + " stands there twice");
    }
  }
  return tensors;
}

}  // namespace sdx
