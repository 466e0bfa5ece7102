#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "sdx/util/error.h"

namespace sdx {

static_assert(std::endian::native == std::endian::little, "file formats are read as they lie");

/// Walks through bytes of a foreign file and never beyond them.
class ByteReader {
 public:
  explicit ByteReader(std::span<std::byte> bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }
  std::size_t left() const { return bytes_.size() - position_; }

  /// @throws DataError if that is behind the end.
  void seek(std::uint64_t position) {
    if (position > bytes_.size()) fail(position);
    position_ = position;
  }

  /// The next `count` bytes. @throws DataError if there are fewer.
  std::span<std::byte> take(std::uint64_t count) {
    if (count > left()) fail(count);
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  std::string_view text(std::uint64_t count) {
    const auto taken = take(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  /// A little-endian number.
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  [[noreturn]] void fail(std::uint64_t needed) const {
    throw DataError("truncated or damaged: " + std::to_string(needed) + " bytes are needed at " +
                    std::to_string(position_) + ", there are " + std::to_string(left()));
  }

  std::span<std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace sdx
