#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "sdx/device/device.h"
#include "sdx/model/bundle.h"
#include "sdx/model/conditioning.h"
#include "sdx/model/lora.h"

namespace sdx {

/// How much forward() keeps for the gradient.
enum class GradientMemory {
  kNormal,  ///< every intermediate result
  kLow,     ///< only what passes between the blocks; backward computes the rest again: one more
            ///< forward pass, less than half the memory for Stable Diffusion 1.5
};

/// The result of a whole pass, and the features that a later one can use again.
struct KeptPass {
  at::Tensor output;    ///< as of forward(), bit for bit
  at::Tensor features;  ///< [B,C,h,w]: what all levels but the shallowest layers made of the input
};

/// The frozen denoiser, UNet2DConditionModel. For one thread at a time: on a GPU its work is
/// recorded and started as a whole, and the recording has one place for each intermediate result.
class UNet {
 public:
  /// @throws DataError if a file of the bundle is damaged (hash named) or lacks a tensor.
  UNet(const Bundle& bundle, const ComputeTarget& target, ModelUse use = ModelUse::kTraining);
  ~UNet();
  UNet(UNet&&) noexcept;
  UNet& operator=(UNet&&) noexcept;

  /// Loads the weights anew with these LoRAs added to them; none: as they are. What was there is
  /// let go first, so that there are never two. Graphs that were recorded are gone, too.
  /// @throws as the constructor and fit_lora(); then the UNet computes nothing until it is loaded
  ///         again.
  void reload(const Bundle& bundle, const AppliedLoras& loras);

  /// Predicts noise, velocity or image, as the bundle's prediction type says. With
  /// ModelUse::kTraining differentiable in `sample` and in the conditioning's context and pooled
  /// vectors, on a GPU only before the next call; in float16 gradients are scaled inside, so that
  /// small ones come through.
  /// @param sample       [B,C,h,w], any float dtype.
  /// @param timesteps    [B] integer or float, 0 … train_timesteps − 1; may lie between two.
  /// @param conditioning of B rows, of any device and dtype, with just what the model takes.
  /// @param memory       kLow gives the same output, and the gradient but for rounding.
  /// @return             [B,C,h,w] float32.
  /// @throws InternalError naming what the conditioning lacks, has too much, or has for another
  ///         number of rows; DataError with kLow, if the bundle's program does not offer its
  ///         segments.
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timesteps,
                     const Conditioning& conditioning,
                     GradientMemory memory = GradientMemory::kNormal) const;

  // Between two steps of a sampler the deep features change little, and the shallow layers around
  // them are a small part of the work: Ma et al. 2023, "DeepCache: Accelerating Diffusion Models
  // for Free".

  /// @throws DataError if the bundle's program has no passes that keep and reuse features.
  void require_feature_reuse() const;

  /// forward() that also gives the deep features. Arguments as of forward().
  /// @throws as forward() and require_feature_reuse().
  KeptPass forward_keeping(const at::Tensor& sample, const at::Tensor& timesteps,
                           const Conditioning& conditioning) const;

  /// The shallow layers around given features: the first layer down and the last two up, 22 % of
  /// the work for Stable Diffusion 1.5. With the features of the same input it is forward().
  /// @param features of forward_keeping() with as many rows of the same size.
  /// @return         [B,C,h,w] float32.
  /// @throws as forward() and require_feature_reuse().
  at::Tensor forward_reusing(const at::Tensor& sample, const at::Tensor& timesteps,
                             const Conditioning& conditioning, const at::Tensor& features) const;

  /// C, the channels of the latents that it denoises.
  int latent_channels() const;

  /// The parameters, for tests that prove them frozen.
  std::vector<at::Tensor> parameters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
