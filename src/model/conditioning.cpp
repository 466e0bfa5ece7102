#include "sdx/model/conditioning.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include "sdx/device/transfer.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// One field of all parts, which all have it or all lack it.
at::Tensor join(const std::vector<Conditioning>& parts, at::Tensor Conditioning::*field,
                const char* name) {
  std::vector<at::Tensor> rows;
  for (const Conditioning& part : parts) {
    if ((part.*field).defined()) rows.push_back(part.*field);
  }
  if (rows.empty()) return {};
  if (rows.size() != parts.size()) {
    throw InternalError(std::string("Conditioning::concatenate: only some of the parts have \"") +
                        name + "\"");
  }
  return at::cat(rows);
}

/// A change of each tensor that is there.
template <typename Change>
Conditioning each(const Conditioning& whole, Change change) {
  const auto changed = [&](const at::Tensor& tensor) {
    return tensor.defined() ? change(tensor) : at::Tensor();
  };
  return {changed(whole.context), changed(whole.pooled), changed(whole.size_ids)};
}

}  // namespace

Conditioning Conditioning::select(const at::Tensor& rows) const {
  return each(*this, [&](const at::Tensor& tensor) {
    return tensor.index_select(0, to_device(rows, tensor.device()));
  });
}

Conditioning Conditioning::repeat(std::int64_t times) const {
  return each(*this, [&](const at::Tensor& tensor) {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(tensor.dim()), 1);
    counts.front() = times;
    return tensor.repeat(counts);
  });
}

Conditioning Conditioning::to(c10::Device device, c10::ScalarType dtype) const {
  Conditioning moved =
      each(*this, [&](const at::Tensor& tensor) { return to_device(tensor, device); });
  moved.context = moved.context.to(dtype);
  if (moved.pooled.defined()) moved.pooled = moved.pooled.to(dtype);
  return moved;
}

bool Conditioning::is_same(const Conditioning& other) const {
  return context.is_same(other.context) && pooled.is_same(other.pooled) &&
         size_ids.is_same(other.size_ids);
}

Conditioning Conditioning::concatenate(const std::vector<Conditioning>& parts) {
  if (parts.empty()) throw InternalError("Conditioning::concatenate: expected parts, found none");
  return {join(parts, &Conditioning::context, "context"),
          join(parts, &Conditioning::pooled, "pooled"),
          join(parts, &Conditioning::size_ids, "size_ids")};
}

at::Tensor make_size_ids(const ImagePlace& place, std::int64_t rows) {
  const auto number = [](int px) { return static_cast<float>(px); };
  return at::tensor({number(place.original.height_px), number(place.original.width_px),
                     number(place.top_px), number(place.left_px), number(place.target.height_px),
                     number(place.target.width_px)})
      .unsqueeze(0)
      .repeat({rows, 1});
}

}  // namespace sdx
