#include "sdx/image/convert.h"

#include <ATen/ops/from_blob.h>

#include <cstring>

#include "sdx/util/error.h"

namespace sdx {

at::Tensor to_tensor(const Image& image) {
  // from_blob wants a mutable pointer; the values are only read.
  auto* bytes = const_cast<std::uint8_t*>(image.rgb.data());
  const at::Tensor pixels =
      at::from_blob(bytes, {1, image.height_px, image.width_px, 3}, at::kByte);
  return pixels.to(at::kFloat).permute({0, 3, 1, 2}).contiguous() / 127.5 - 1;
}

Image to_image(const at::Tensor& tensor) {
  if (tensor.dim() != 4 || tensor.size(0) != 1 || tensor.size(1) != 3) {
    throw InternalError("to_image: expected a tensor [1,3,H,W]");
  }
  const at::Tensor pixels = ((tensor.to(at::kFloat).clamp(-1, 1) + 1) * 127.5)
                                .round()
                                .to(at::kByte)
                                .permute({0, 2, 3, 1})
                                .cpu()
                                .contiguous();
  Image image(static_cast<int>(pixels.size(2)), static_cast<int>(pixels.size(1)));
  std::memcpy(image.rgb.data(), pixels.data_ptr(), image.rgb.size());
  return image;
}

}  // namespace sdx
