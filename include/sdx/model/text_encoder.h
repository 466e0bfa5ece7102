#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "sdx/device/device.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// The frozen CLIP text encoder, cut where textual inversion needs it: between the token table and
/// the transformer.
class TextEncoder {
 public:
  /// Always computes in float32: it is a hundredth of the work, and gradients pass through it.
  /// @throws DataError if a file of the bundle is damaged (hash named) or lacks a tensor.
  TextEncoder(const Bundle& bundle, c10::Device device);
  ~TextEncoder();
  TextEncoder(TextEncoder&&) noexcept;
  TextEncoder& operator=(TextEncoder&&) noexcept;

  /// The token table's rows.
  /// @param ids [B,L] int64 on any device.  @return [B,L,W] float32.
  at::Tensor embed(const at::Tensor& ids) const;

  /// Positions, causal transformer, final layer norm. Differentiable in `embeddings`.
  /// @param embeddings [B,L,W] float32, L at most the encoder's positions.
  /// @param skip_last  layers left out at the end (clip skip 1 is 0 here).
  /// @return [B,L,W] float32.
  at::Tensor encode(const at::Tensor& embeddings, int skip_last = 0) const;

  /// The parameters, for tests that prove them frozen.
  std::vector<at::Tensor> parameters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
