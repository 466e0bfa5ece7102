#include "sdx/tensor/torch_writer.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "tensor/byte_writer.h"
#include "tensor/zip_writer.h"

namespace sdx {

namespace {

/// Folder of all entries. PyTorch calls it as the file; a fixed name keeps the bytes the same when
/// the file has another name.
constexpr std::string_view kRoot = "archive/";

std::string entry_name(std::string_view name) { return std::string(kRoot).append(name); }

// Opcodes by their letters in Python's pickletools.

std::string text(std::string_view value) {
  return "X" + le(static_cast<std::uint32_t>(value.size())) + std::string(value);  // BINUNICODE
}

std::string integer(std::int64_t value) {
  if (value >= 0 && value <= UINT8_MAX) return "K" + le(static_cast<std::uint8_t>(value));
  if (value >= 0 && value <= UINT16_MAX) return "M" + le(static_cast<std::uint16_t>(value));
  if (value == static_cast<std::int32_t>(value)) return "J" + le(static_cast<std::int32_t>(value));
  return "\x8a\x08" + le(value);  // LONG1 of 8 bytes
}

std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

std::string tuple(at::IntArrayRef values) {
  std::string bytes = "(";
  for (const std::int64_t value : values) bytes += integer(value);
  return bytes + "t";
}

/// Turns values into opcodes, and tensors into storages beside the pickle.
class Pickler {
 public:
  std::string pickle(const PickleValue& value) { return "\x80\x02" + opcodes(value) + "."; }

  /// Of all tensors so far; the place in the list is the key in the pickle.
  const std::vector<std::string>& storages() const { return storages_; }

 private:
  std::string opcodes(const PickleValue& value) {
    if (value.is_none()) return "N";
    if (value.integer() != nullptr) return integer(*value.integer());
    if (value.text() != nullptr) return text(*value.text());
    if (value.dict() != nullptr) return dict(*value.dict());
    if (value.tensor() != nullptr) return tensor(*value.tensor());
    throw InternalError("a file of torch.save is not written with " + value.description());
  }

  std::string dict(const PickleValue::Dict& entries) {
    std::string bytes = "}(";
    for (const auto& [key, value] : entries) bytes += opcodes(key) + opcodes(value);
    return bytes + "u";
  }

  std::string tensor(const at::Tensor& value) {
    if (value.scalar_type() != at::kFloat) {
      throw InternalError(std::string("a file of torch.save is not written with tensors of ") +
                          c10::toString(value.scalar_type()));
    }
    const at::Tensor data = value.detach().cpu().contiguous();
    const std::string key = std::to_string(storages_.size());
    storages_.emplace_back(static_cast<const char*>(data.data_ptr()), data.nbytes());
    const std::string storage = "(" + text("storage") + global("torch", "FloatStorage") +
                                text(key) + text("cpu") + integer(data.numel()) + "tQ";
    constexpr std::string_view kNeedsNoGradient = "\x89";
    const std::string no_hooks = global("collections", "OrderedDict") + ")R";
    return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + integer(0) +
           tuple(data.sizes()) + tuple(data.strides()) + std::string(kNeedsNoGradient) + no_hooks +
           "tR";
  }

  std::vector<std::string> storages_;
};

}  // namespace

void write_torch_file(const std::filesystem::path& path, const PickleValue& value) {
  Pickler pickler;
  std::vector<ZipPart> parts = {{entry_name("data.pkl"), pickler.pickle(value)},
                                {entry_name("byteorder"), "little"}};
  for (std::size_t i = 0; i < pickler.storages().size(); ++i) {
    parts.push_back({entry_name("data/" + std::to_string(i)), pickler.storages()[i]});
  }
  parts.push_back({entry_name("version"), "3\n"});
  write_file_atomically(path, zip_archive(parts));
}

}  // namespace sdx
