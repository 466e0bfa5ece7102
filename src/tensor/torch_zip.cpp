#include "tensor/torch_zip.h"

#include <zlib.h>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "tensor/torch_objects.h"
#include "tensor/zip_directory.h"

namespace sdx {

namespace {

constexpr std::uint64_t kMaxPickleBytes = std::uint64_t{256} << 20U;

class TorchZip {
 public:
  TorchZip(const std::shared_ptr<MappedFile>& file, TorchChecks checks)
      : file_(file), checks_(checks), entries_(read_zip_directory(file->bytes())) {
    for (const auto& [name, entry] : entries_) {
      const std::size_t slash = name.find('/');
      if (slash == std::string::npos || name.substr(slash) != "/data.pkl") continue;
      if (!root_.empty()) throw DataError("it holds several data.pkl, expected one");
      root_ = name.substr(0, slash + 1);
    }
    if (root_.empty()) throw DataError("it is a zip archive, but not one of torch.save");
    if (entries_.contains(root_ + "constants.pkl")) {
      throw DataError("it is a TorchScript program, expected tensors saved by torch.save");
    }
    if (entries_.contains(root_ + "byteorder") && text(record("byteorder", true)) != "little") {
      throw DataError("its numbers are big-endian, which is not supported");
    }
  }

  PickleValue read() {
    const auto pickle = record("data.pkl", true, kMaxPickleBytes);
    TorchObjects objects([this](const TorchStorage& storage) { return find(storage); });
    return unpickle(pickle, objects).value;
  }

 private:
  static std::string_view text(std::span<std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::span<std::byte> record(const std::string& name, bool check,
                              std::uint64_t max_bytes = UINT64_MAX) const {
    const auto found = entries_.find(root_ + name);
    if (found == entries_.end()) {
      throw DataError("the record " + in_quotes(name) + " is missing from the archive: damaged");
    }
    const ZipEntry& entry = found->second;
    if (entry.size > max_bytes) {
      throw DataError("the record " + in_quotes(name) + " is " + std::to_string(entry.size) +
                      " bytes long, at most " + std::to_string(max_bytes) + " are accepted");
    }
    const auto bytes = file_->bytes().subspan(entry.offset, entry.size);
    if (check && entry.checksum != 0 &&
        entry.checksum !=
            ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size())) {
      throw DataError("the checksum (CRC) of the record " + in_quotes(name) +
                      " is wrong: damaged; fetch the file again");
    }
    return bytes;
  }

  at::Tensor find(const TorchStorage& storage) {
    const auto known = storages_.find(storage.key);
    if (known != storages_.end()) {
      if (known->second.scalar_type() != storage.dtype || known->second.nbytes() != storage.bytes) {
        throw DataError("storage " + in_quotes(storage.key) + " is of two kinds or sizes: damaged");
      }
      return known->second;
    }
    const auto bytes = record("data/" + storage.key, checks_ == TorchChecks::kAll);
    if (bytes.size() < storage.bytes) {
      throw DataError("storage " + in_quotes(storage.key) + " claims " +
                      std::to_string(storage.bytes) + " bytes, its record has " +
                      std::to_string(bytes.size()) + ": damaged");
    }
    return storages_[storage.key] =
               storage_tensor(bytes.first(storage.bytes), storage.dtype, file_);
  }

  std::shared_ptr<MappedFile> file_;
  TorchChecks checks_;
  std::map<std::string, ZipEntry> entries_;
  std::string root_;  ///< with its slash
  std::map<std::string, at::Tensor> storages_;
};

}  // namespace

PickleValue read_torch_zip(const std::shared_ptr<MappedFile>& file, TorchChecks checks) {
  return TorchZip(file, checks).read();
}

}  // namespace sdx
