#include "tensor/torch_legacy.h"

#include <array>
#include <cstring>
#include <map>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "tensor/byte_reader.h"
#include "tensor/torch_objects.h"

namespace sdx {

namespace {

/// The pickle of 0x1950a86a20f9469cfc6c behind the number of its protocol.
constexpr std::array<unsigned char, 13> kMagic = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                                  0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
constexpr std::int64_t kProtocolVersion = 1001;

/// How many bytes the first pickle has, or 0 if it is not the mark of such a file.
std::size_t magic_length(std::span<const std::byte> bytes) {
  constexpr auto kProtocol = std::byte{0x80};
  constexpr auto kFrame = std::byte{0x95};  // of protocols 4 and 5; 8 bytes of length follow
  if (bytes.size() < 2 || bytes[0] != kProtocol || bytes[1] < std::byte{2} ||
      bytes[1] > std::byte{5}) {
    return 0;
  }
  std::size_t start = 2;
  if (bytes.size() > start && bytes[start] == kFrame) start += 9;
  if (bytes.size() < start + kMagic.size()) return 0;
  const bool is_magic = std::memcmp(bytes.data() + start, kMagic.data(), kMagic.size()) == 0;
  return is_magic ? start + kMagic.size() : 0;
}

/// A storage and, once they are found, its data.
struct Placed {
  TorchStorage storage;
  at::Tensor data;
};

class TorchLegacy {
 public:
  explicit TorchLegacy(const std::shared_ptr<MappedFile>& file)
      : file_(file), reader_(file->bytes()) {
    reader_.take(magic_length(file->bytes()));
  }

  /// The value comes before the place of its storages is known, so it is read twice.
  PickleValue read() {
    TorchObjects nothing([](const TorchStorage& storage) -> at::Tensor {
      throw DataError("storage " + in_quotes(storage.key) + " stands where none should be");
    });
    const PickleValue version = next(nothing);
    if (version.integer() == nullptr || *version.integer() != kProtocolVersion) {
      throw DataError("expected version 1001 of the format, found " + version.description());
    }
    const PickleValue machine = next(nothing);
    const PickleValue* little = machine.find("little_endian");
    if (little == nullptr || little->boolean() == nullptr || !*little->boolean()) {
      throw DataError("its numbers are not little-endian, which is not supported");
    }
    const std::size_t value_position = reader_.position();
    TorchObjects survey([this](const TorchStorage& storage) { return note(storage); });
    next(survey);
    place(next(nothing));
    reader_.seek(value_position);
    TorchObjects objects([this](const TorchStorage& storage) { return find(storage); });
    return next(objects);
  }

 private:
  PickleValue next(PickleHost& host) {
    Unpickled result = unpickle(file_->bytes().subspan(reader_.position()), host);
    reader_.take(result.bytes);
    return std::move(result.value);
  }

  at::Tensor note(const TorchStorage& storage) {
    const Placed& placed = placed_.try_emplace(storage.key, Placed{storage, {}}).first->second;
    if (placed.storage.dtype != storage.dtype || placed.storage.bytes != storage.bytes) {
      throw DataError("storage " + in_quotes(storage.key) + " is of two kinds or sizes: damaged");
    }
    return {};
  }

  void place(const PickleValue& keys) {
    if (keys.list() == nullptr || keys.list()->size() != placed_.size()) {
      throw DataError("expected the keys of " + std::to_string(placed_.size()) +
                      " storages, found " + keys.description());
    }
    for (const PickleValue& key : *keys.list()) {
      const auto found = key.text() != nullptr ? placed_.find(*key.text()) : placed_.end();
      if (found == placed_.end() || found->second.data.defined()) {
        throw DataError("expected the key of a storage, each once, found " + key.description());
      }
      const TorchStorage& storage = found->second.storage;
      const std::uint64_t values = storage.bytes / c10::elementSize(storage.dtype);
      const auto stated = reader_.number<std::uint64_t>();
      if (stated != values) {
        throw DataError("storage " + in_quotes(storage.key) + " claims " + std::to_string(values) +
                        " values, found " + std::to_string(stated) + ": damaged");
      }
      found->second.data = storage_tensor(reader_.take(storage.bytes), storage.dtype, file_);
    }
    if (reader_.left() > 0) {
      throw DataError(std::to_string(reader_.left()) + " bytes follow after its end: damaged");
    }
  }

  at::Tensor find(const TorchStorage& storage) const { return placed_.at(storage.key).data; }

  std::shared_ptr<MappedFile> file_;
  ByteReader reader_;
  std::map<std::string, Placed> placed_;
};

}  // namespace

bool is_torch_legacy(std::span<const std::byte> bytes) { return magic_length(bytes) > 0; }

PickleValue read_torch_legacy(const std::shared_ptr<MappedFile>& file) {
  return TorchLegacy(file).read();
}

}  // namespace sdx
