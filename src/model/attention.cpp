#include "model/attention.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "model/attention_kernel.h"

namespace sdx {

namespace {

/// Elements of a row one after the other, as the kernel needs them.
at::Tensor with_whole_rows(const at::Tensor& heads) {
  return heads.stride(3) == 1 ? heads : heads.contiguous();
}

std::uint16_t* find_data(const at::Tensor& tensor) {
  return static_cast<std::uint16_t*>(tensor.data_ptr());
}

BFloat16Rows take_rows(const at::Tensor& heads, std::int64_t map) {
  const std::int64_t item = map / heads.size(1);
  const std::int64_t head = map % heads.size(1);
  return {find_data(heads) + item * heads.stride(0) + head * heads.stride(1), heads.size(2),
          heads.size(3), heads.stride(2)};
}

/// Runs task(0) … task(count − 1) by libtorch's threads. at::parallel_for() is parallel only where
/// its caller is compiled for the OpenMP library that libtorch brings; a loop over a tensor's
/// elements is compiled in libtorch.
void run_parallel(std::int64_t count, const std::function<void(std::int64_t)>& task) {
  const at::Tensor numbers = at::arange(count, at::kLong);
  at::TensorIterator loop = at::TensorIteratorConfig().add_input(numbers).build();
  loop.for_each(
      [&](char** data, const std::int64_t* strides, std::int64_t inner, std::int64_t outer) {
        for (std::int64_t i = 0; i < inner * outer; ++i) {
          const char* place = data[0] + i % inner * strides[0] + i / inner * strides[1];
          task(*reinterpret_cast<const std::int64_t*>(place));
        }
      },
      /*grain_size=*/1);
}

}  // namespace

const char* const kAttentionOperator = "sdx::attention";

bool has_bfloat16_attention() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const at::Tensor q = with_whole_rows(query);
  const at::Tensor k = with_whole_rows(key);
  const at::Tensor v = with_whole_rows(value);
  const std::int64_t rows = q.size(2);
  const std::int64_t maps = q.size(0) * q.size(1);
  const float scale = 1 / std::sqrt(static_cast<float>(q.size(3)));
  const at::Tensor result =
      at::empty({q.size(0), rows, q.size(1), v.size(3)}, q.options()).transpose(1, 2);

  std::vector<std::unique_ptr<PackedHead>> heads(static_cast<std::size_t>(maps));
  run_parallel(maps, [&](std::int64_t map) {
    heads[static_cast<std::size_t>(map)] =
        std::make_unique<PackedHead>(take_rows(k, map), take_rows(v, map));
  });
  const std::int64_t block = heads.front()->rows_at_once();
  const std::int64_t blocks = (rows + block - 1) / block;
  run_parallel(maps * blocks, [&](std::int64_t task) {
    const std::int64_t map = task / blocks;
    const std::int64_t row = task % blocks * block;
    BFloat16Rows queries = take_rows(q, map);
    queries.first += row * queries.stride;
    queries.rows = std::min(block, rows - row);
    const BFloat16Rows output = take_rows(result, map);
    heads[static_cast<std::size_t>(map)]->attend(queries, scale, output.first + row * output.stride,
                                                 output.stride);
  });
  return result;
}

TORCH_LIBRARY_FRAGMENT(sdx, library) {
  library.def("attention(Tensor query, Tensor key, Tensor value) -> Tensor", &attention);
}

}  // namespace sdx
