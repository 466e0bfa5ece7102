#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "sdx/model/conditioning.h"
#include "sdx/model/unet.h"

namespace sdx {

/// What a denoiser computes from, on any device and of any floating type.
struct UNetInputs {
  at::Tensor sample;     ///< [B,C,h,w]
  at::Tensor timesteps;  ///< [B]
  Conditioning conditioning;
};

/// What a program takes beside `context`.
struct ConditioningKinds {
  bool pooled = false;
  bool size_ids = false;
};

/// The arithmetic of a UNet, behind which it does not matter what runs it. A program brings its
/// inputs to its device, type and layout itself; it knows nothing of guidance, of float16's range
/// or of what a caller may pass, which UNet settles before. For one thread at a time, as UNet.
class UNetProgram {
 public:
  virtual ~UNetProgram() = default;

  virtual ConditioningKinds takes() const = 0;

  /// The prediction, [B,C,h,w] float32. Differentiable in sample, context and pooled if the program
  /// was made for training.
  /// @param memory kLow: in segments that are computed again in the backward pass.
  /// @throws DataError with kLow, if the program is not cut into segments.
  virtual at::Tensor forward(const UNetInputs& inputs, GradientMemory memory) = 0;

  /// @throws DataError if the program has no passes that keep and reuse features.
  virtual void require_feature_reuse() const = 0;
  /// As UNet::forward_keeping.
  virtual KeptPass forward_keeping(const UNetInputs& inputs) = 0;
  /// As UNet::forward_reusing.
  virtual at::Tensor forward_reusing(const UNetInputs& inputs, const at::Tensor& features) = 0;

  virtual std::vector<at::Tensor> parameters() const = 0;
};

}  // namespace sdx
