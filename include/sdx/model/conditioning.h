#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <compare>
#include <cstdint>
#include <vector>

namespace sdx {

/// Width and height of an image, in pixels.
struct ImageSize {
  int width_px = 0;
  int height_px = 0;

  auto operator<=>(const ImageSize&) const = default;
};

/// Everything that tells the UNet what an image shows: one row for each latent of a batch.
///
/// Stable Diffusion 1 and 2 attend to `context` alone. SDXL also takes `pooled` and `size_ids`,
/// which it adds to the time embedding (Podell et al. 2023, "SDXL: Improving Latent Diffusion
/// Models for High-Resolution Image Synthesis"). What a model does not take stays undefined; the
/// UNet refuses a conditioning that has more or less than its program takes.
///
/// A value: the functions below return new tensors and never change the old ones. Gradients pass
/// through them.
struct Conditioning {
  at::Tensor context;        ///< [B,S,C]: the text encoders' outputs, joined along C
  at::Tensor pooled = {};    ///< [B,P]: one vector for the whole prompt; or undefined
  at::Tensor size_ids = {};  ///< [B,6] float32, see make_size_ids(); or undefined

  /// B.
  std::int64_t rows() const { return context.size(0); }
  /// S, the positions that the UNet attends to. Rows of one batch have the same.
  std::int64_t positions() const { return context.size(1); }

  /// Rows in this order; a row may be taken more than once.
  /// @param rows [N] int64 on the CPU, each 0 … B − 1.
  Conditioning select(const at::Tensor& rows) const;

  /// All rows, and all rows again: B × `times`.
  Conditioning repeat(std::int64_t times) const;

  /// On another device, in another floating type. `size_ids` stay float32: in bfloat16 a side of
  /// 1333 pixels would become 1336.
  Conditioning to(c10::Device device, c10::ScalarType dtype) const;

  /// Whether both hold the very same tensors; does not compare values.
  bool is_same(const Conditioning& other) const;

  /// The rows of all, in order.
  /// @throws InternalError for an empty list, or parts of which only some have `pooled` or
  ///         `size_ids`.
  static Conditioning concatenate(const std::vector<Conditioning>& parts);
};

/// Where in its original an image lies: the original was scaled, and the image cut out of it.
struct ImageFrame {
  ImageSize original;  ///< before it was scaled and cut, in its own pixels
  int top_px = 0;      ///< rows that were cut off above, at the image's own scale
  int left_px = 0;     ///< columns that were cut off at the left, at the image's own scale
  ImageSize target;    ///< of the image itself
};

/// SDXL's description of where in its original an image lies: original height and width, top and
/// left of the crop, target height and width.
/// @return [rows,6] float32 on the CPU.
at::Tensor make_frame_ids(const ImageFrame& frame, std::int64_t rows);

/// The same for a whole image: (h, w, 0, 0, h, w), as its peers have it for generation.
at::Tensor make_size_ids(const ImageSize& size, std::int64_t rows);

}  // namespace sdx
