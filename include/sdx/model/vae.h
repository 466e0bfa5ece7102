#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "sdx/device/device.h"
#include "sdx/model/bundle.h"

namespace sdx {

class TinyAutoencoder;

/// The diagonal Gaussian that the VAE's encoder gives for a picture, in scaled latents: a latent is
/// mean + deviation × noise.
struct LatentDistribution {
  at::Tensor mean;       ///< [B,4,H/8,W/8] float32
  at::Tensor deviation;  ///< same shape
};

/// Pictures → latents. A class of its own, as generation never needs it.
class VaeEncoder {
 public:
  VaeEncoder(const Bundle& bundle, const ComputeTarget& target);
  ~VaeEncoder();
  VaeEncoder(VaeEncoder&&) noexcept;
  VaeEncoder& operator=(VaeEncoder&&) noexcept;

  /// @param images [B,3,H,W] float32 in −1 … 1, H and W divisible by 8.
  LatentDistribution encode(const at::Tensor& images) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Latents → pictures.
class VaeDecoder {
 public:
  VaeDecoder(const Bundle& bundle, const ComputeTarget& target);
  /// What decodes nearly the same in its place.
  explicit VaeDecoder(std::unique_ptr<const TinyAutoencoder> tiny);
  ~VaeDecoder();
  VaeDecoder(VaeDecoder&&) noexcept;
  VaeDecoder& operator=(VaeDecoder&&) noexcept;

  /// @param latents [B,4,h,w], scaled as the UNet sees them.
  /// @return        [B,3,8h,8w] float32, about −1 … 1, not clamped.
  at::Tensor decode(const at::Tensor& latents) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::unique_ptr<const TinyAutoencoder> tiny_;  ///< or this
};

}  // namespace sdx
