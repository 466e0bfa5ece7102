#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "sdx/device/device.h"
#include "sdx/model/bundle.h"
#include "sdx/model/lora.h"

namespace sdx {

/// The output of a text encoder.
struct EncodedText {
  at::Tensor output;  ///< [B,L,W] float32, of each position
  at::Tensor pooled;  ///< [B,P] float32, one vector for each text
};

/// One frozen CLIP text encoder, cut where textual inversion needs it: between the token table and
/// the transformer.
class TextEncoder {
 public:
  /// Always computes in float32: it is a hundredth of the work, and gradients pass through it.
  /// @param index of BundleInfo::text_encoders.
  /// @throws DataError if a file of the bundle is damaged (hash named) or lacks a tensor.
  TextEncoder(const Bundle& bundle, c10::Device device, std::size_t index = 0);
  ~TextEncoder();
  TextEncoder(TextEncoder&&) noexcept;
  TextEncoder& operator=(TextEncoder&&) noexcept;

  /// Loads the weights anew with these LoRAs added to them, if they or those before reach this
  /// encoder.
  /// @throws as the constructor and fit_lora().
  void reload(const Bundle& bundle, const AppliedLoras& loras);

  const TextEncoderInfo& info() const;

  /// The token table's rows.
  /// @param ids [B,L] int64 on any device.  @return [B,L,W] float32.
  at::Tensor embed(const at::Tensor& ids) const;

  /// Adds positions, runs the causal transformer, and gives the layer that the UNet attends to.
  /// Differentiable in `embeddings`.
  /// @param embeddings [B,L,W] float32, L at most the encoder's positions.
  /// @param skip_last  layers left out at the end (clip skip 1 is 0 here).
  /// @return [B,L,W] float32.
  at::Tensor encode(const at::Tensor& embeddings, int skip_last = 0) const;

  /// Whether the encoder gives a vector for the whole text, as the second of SDXL does.
  bool has_pooled() const;

  /// encode(), and the pooled vector beside it. Differentiable in `embeddings`.
  /// @param ends [B] int64, the position of each text's end token. Given, because an embedding's
  ///        vectors have no ids to find the end by.
  /// @throws InternalError unless has_pooled().
  EncodedText encode_pooled(const at::Tensor& embeddings, const at::Tensor& ends,
                            int skip_last = 0) const;

  /// The parameters, for tests that prove them frozen.
  std::vector<at::Tensor> parameters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
