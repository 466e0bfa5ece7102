#include "model/attention.h"

#include <ATen/ops/_softmax.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>

namespace sdx {

namespace {

constexpr std::int64_t kBlockScores = 2 << 20;  ///< 4 MiB of bfloat16: well inside a level-3 cache
constexpr std::int64_t kBlockRows = 256;        ///< fewer make the products inefficient

}  // namespace

const char* const kAttentionOperator = "sdx::attention";

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const std::int64_t batch = query.size(0);
  const std::int64_t heads = query.size(1);
  const std::int64_t rows = query.size(2);
  const std::int64_t width = query.size(3);
  const std::int64_t keys = key.size(2);
  const std::int64_t maps = batch * heads;
  const double scale = 1 / std::sqrt(static_cast<double>(width));

  const at::Tensor q = query.reshape({maps, rows, width});
  const at::Tensor k = key.reshape({maps, keys, width}).transpose(1, 2);
  const at::Tensor v = value.reshape({maps, keys, width});
  const at::Tensor result = at::empty({batch, rows, heads, width}, query.options());
  const at::Tensor by_map = result.transpose(1, 2);

  const std::int64_t map_block =
      std::clamp(kBlockScores / (std::min(rows, kBlockRows) * keys), std::int64_t{1}, heads);
  const std::int64_t row_block =
      std::clamp(kBlockScores / (map_block * keys), std::int64_t{1}, rows);
  const at::Tensor ignored = at::empty({1}, query.options());  // what beta = 0 multiplies
  for (std::int64_t item = 0; item < batch; ++item) {
    for (std::int64_t head = 0; head < heads; head += map_block) {
      const std::int64_t count = std::min(map_block, heads - head);
      const std::int64_t map = item * heads + head;
      for (std::int64_t row = 0; row < rows; row += row_block) {
        const std::int64_t size = std::min(row_block, rows - row);
        const at::Tensor scores = at::baddbmm(ignored, q.narrow(0, map, count).narrow(1, row, size),
                                              k.narrow(0, map, count), /*beta=*/0, /*alpha=*/scale);
        by_map[item]
            .narrow(0, head, count)
            .narrow(1, row, size)
            .copy_(at::bmm(at::_softmax(scores, -1, /*half_to_float=*/false),
                           v.narrow(0, map, count)));
      }
    }
  }
  return by_map;
}

TORCH_LIBRARY_FRAGMENT(sdx, library) {
  library.def("attention(Tensor query, Tensor key, Tensor value) -> Tensor", &attention);
}

}  // namespace sdx
