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

/// Where in its original an image lies, in pixels of the original once it was scaled to the image's
/// scale. An image alone is the whole of its original.
struct ImagePlace {
  ImageSize original;  ///< before anything was cut away
  int top_px = 0;      ///< what was cut away above
  int left_px = 0;     ///< what was cut away on the left
  ImageSize target;    ///< of the image

  ImagePlace() = default;
  ImagePlace(const ImageSize& whole) : original(whole), target(whole) {}  // NOLINT: see above
  ImagePlace(int width_px, int height_px) : ImagePlace(ImageSize{width_px, height_px}) {}
  ImagePlace(const ImageSize& from, int top, int left, const ImageSize& to)
      : original(from), top_px(top), left_px(left), target(to) {}

  auto operator<=>(const ImagePlace&) const = default;
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

/// The six numbers by which SDXL is told an image's place: original height and width, top and left
/// of the crop, target height and width. For generation its peers say (h, w, 0, 0, h, w), the whole
/// image.
/// @return [rows,6] float32 on the CPU.
at::Tensor make_size_ids(const ImagePlace& place, std::int64_t rows);

}  // namespace sdx
