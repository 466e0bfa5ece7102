#pragma once

#include <bit>
#include <cstring>
#include <string>

namespace sdx {

static_assert(std::endian::native == std::endian::little, "file formats are written as they lie");

/// The bytes of a number, little-endian.
template <typename T>
std::string le(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

}  // namespace sdx
