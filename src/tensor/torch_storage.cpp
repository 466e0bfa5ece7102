#include "tensor/torch_storage.h"

#include <ATen/ops/as_strided.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "sdx/util/error.h"

namespace sdx {

namespace {

struct StorageName {
  const char* name;
  at::ScalarType dtype;
};

constexpr std::array<StorageName, 10> kStorages = {{{"DoubleStorage", at::kDouble},
                                                    {"FloatStorage", at::kFloat},
                                                    {"HalfStorage", at::kHalf},
                                                    {"BFloat16Storage", at::kBFloat16},
                                                    {"LongStorage", at::kLong},
                                                    {"IntStorage", at::kInt},
                                                    {"ShortStorage", at::kShort},
                                                    {"CharStorage", at::kChar},
                                                    {"ByteStorage", at::kByte},
                                                    {"BoolStorage", at::kBool}}};

}  // namespace

std::optional<at::ScalarType> storage_dtype(const std::string& name) {
  for (const StorageName& storage : kStorages) {
    if (name == storage.name) return storage.dtype;
  }
  return std::nullopt;
}

at::Tensor storage_tensor(std::span<std::byte> bytes, at::ScalarType dtype,
                          const std::shared_ptr<MappedFile>& file) {
  const std::size_t value_bytes = c10::elementSize(dtype);
  if (dtype == at::kBool && std::any_of(bytes.begin(), bytes.end(),
                                        [](std::byte value) { return value > std::byte{1}; })) {
    throw DataError("a truth value in a tensor is neither 0 nor 1: damaged");
  }
  const auto values = static_cast<std::int64_t>(bytes.size() / value_bytes);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % value_bytes == 0) {
    return at::from_blob(
        bytes.data(), {values}, [file](void*) {}, at::TensorOptions(dtype));
  }
  at::Tensor copy = at::empty({values}, at::TensorOptions(dtype));
  if (values > 0) std::memcpy(copy.data_ptr(), bytes.data(), copy.nbytes());
  return copy;
}

at::Tensor storage_view(const at::Tensor& storage, std::int64_t offset, at::IntArrayRef sizes,
                        at::IntArrayRef strides) {
  const auto fail = [](const std::string& reason) -> void {
    throw DataError("a tensor " + reason + ": damaged");
  };
  if (sizes.size() != strides.size()) {
    fail("has " + std::to_string(sizes.size()) + " sizes and " + std::to_string(strides.size()) +
         " strides");
  }
  std::int64_t values = 1;     // sizes of 0 count as 1 here, for strides are products of sizes
  std::int64_t last = offset;  // the furthest value that it reaches
  bool sound = offset >= 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t size = std::max<std::int64_t>(sizes[i], 1);
    std::int64_t reach = 0;
    sound = sound && sizes[i] >= 0 && strides[i] >= 0 &&
            !__builtin_mul_overflow(values, size, &values) &&
            !__builtin_mul_overflow(size - 1, strides[i], &reach) &&
            !__builtin_add_overflow(last, reach, &last);
  }
  if (!sound) fail("has an impossible shape, stride or offset");
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) {
    return at::empty(sizes, storage.options());
  }
  if (last >= storage.numel()) {
    fail("of " + std::to_string(values) + " values reaches up to value " + std::to_string(last) +
         " of its storage, which has " + std::to_string(storage.numel()));
  }
  return at::as_strided(storage, sizes, strides, offset);
}

}  // namespace sdx
