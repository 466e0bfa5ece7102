#pragma once

#include <ATen/core/Tensor.h>

#include "sdx/image/image.h"

namespace sdx {

/// [1,3,H,W] float32, 0 … 255 mapped to −1 … 1: the form that the VAE's encoder takes.
at::Tensor to_tensor(const Image& image);

/// The picture of a tensor [1,3,H,W] in −1 … 1 (clamped), on any device: what the VAE's decoder
/// gives.
Image to_image(const at::Tensor& tensor);

}  // namespace sdx
