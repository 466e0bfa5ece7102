#include "sdx/model/vae.h"

#include <ATen/ops/exp.h>
#include <ATen/ops/tensor.h>

#include <utility>

#include "model/script_part.h"
#include "sdx/device/transfer.h"
#include "sdx/model/tiny_autoencoder.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// Between what the autoencoder gives and the latents that the UNet sees.
struct LatentScale {
  LatentScale(const BundleInfo& info, const ComputeTarget& target) : scale(info.latent_scale) {
    const auto for_channels = [&](const std::vector<double>& values) {
      return at::tensor(values, at::kFloat).view({1, -1, 1, 1}).to(target.device);
    };
    if (!info.latent_mean.empty()) mean = for_channels(info.latent_mean);
    if (!info.latent_deviation.empty()) deviation = for_channels(info.latent_deviation);
  }

  at::Tensor scaled(const at::Tensor& latents) const {
    return scaled_deviation(mean.defined() ? latents - mean : latents);
  }
  at::Tensor scaled_deviation(const at::Tensor& latents) const {
    return (deviation.defined() ? latents / deviation : latents) * scale;
  }
  at::Tensor unscaled(const at::Tensor& latents) const {
    const at::Tensor divided = latents / scale;
    const at::Tensor spread = deviation.defined() ? divided * deviation : divided;
    return mean.defined() ? spread + mean : spread;
  }

  double scale;
  at::Tensor mean;       ///< [1,C,1,1]; undefined: 0
  at::Tensor deviation;  ///< [1,C,1,1]; undefined: 1
};

}  // namespace

struct VaeEncoder::Impl {
  torch::jit::Module module;
  ComputeTarget target;
  int factor;
  LatentScale scale;
};

VaeEncoder::VaeEncoder(const Bundle& bundle, const ComputeTarget& target)
    : impl_(std::make_unique<Impl>(
          Impl{load_script_part(bundle, "vae_encoder", "vae", target, ModelUse::kInference), target,
               bundle.info().vae_factor, LatentScale(bundle.info(), target)})) {}

VaeEncoder::~VaeEncoder() = default;
VaeEncoder::VaeEncoder(VaeEncoder&&) noexcept = default;
VaeEncoder& VaeEncoder::operator=(VaeEncoder&&) noexcept = default;

LatentDistribution VaeEncoder::encode(const at::Tensor& images) const {
  if (images.dim() != 4 || images.size(2) % impl_->factor != 0 ||
      images.size(3) % impl_->factor != 0) {
    throw InternalError("VaeEncoder::encode: expected images [B,3,H,W] with H and W divisible by " +
                        std::to_string(impl_->factor));
  }
  const at::Tensor moments =
      run_method(impl_->module, "forward",
                 {to_device(images, impl_->target.device)
                      .to(impl_->target.dtype)
                      .contiguous(image_layout(impl_->target, ModelUse::kInference))})
          .to(at::kFloat)
          .contiguous();
  const auto parts = moments.chunk(2, 1);
  // The clamp is the reference's (diffusers, DiagonalGaussianDistribution).
  const at::Tensor log_variance = parts[1].clamp(-30, 20);
  return {impl_->scale.scaled(parts[0]),
          impl_->scale.scaled_deviation(at::exp(log_variance * 0.5))};
}

struct VaeDecoder::Impl {
  torch::jit::Module module;
  ComputeTarget target;
  LatentScale scale;
};

VaeDecoder::VaeDecoder(const Bundle& bundle, const ComputeTarget& target)
    : impl_(std::make_unique<Impl>(
          Impl{load_script_part(bundle, "vae_decoder", "vae", target, ModelUse::kInference), target,
               LatentScale(bundle.info(), target)})) {}

VaeDecoder::VaeDecoder(std::unique_ptr<const TinyAutoencoder> tiny) : tiny_(std::move(tiny)) {}

VaeDecoder::~VaeDecoder() = default;
VaeDecoder::VaeDecoder(VaeDecoder&&) noexcept = default;
VaeDecoder& VaeDecoder::operator=(VaeDecoder&&) noexcept = default;

at::Tensor VaeDecoder::decode(const at::Tensor& latents) const {
  if (tiny_) return tiny_->decode(latents);
  const at::Tensor unscaled = impl_->scale.unscaled(to_device(latents, impl_->target.device));
  return run_method(impl_->module, "forward",
                    {unscaled.to(impl_->target.dtype)
                         .contiguous(image_layout(impl_->target, ModelUse::kInference))})
      .to(at::kFloat)
      .contiguous();
}

}  // namespace sdx
