#include "sdx/model/vae.h"

#include <ATen/ops/exp.h>

#include <utility>

#include "model/script_part.h"
#include "sdx/device/transfer.h"
#include "sdx/model/tiny_autoencoder.h"
#include "sdx/util/error.h"

namespace sdx {

struct VaeEncoder::Impl {
  torch::jit::Module module;
  ComputeTarget target;
  int factor;
  double latent_scale;
};

VaeEncoder::VaeEncoder(const Bundle& bundle, const ComputeTarget& target)
    : impl_(std::make_unique<Impl>(
          Impl{load_script_part(bundle, "vae_encoder", "vae", target, ModelUse::kInference), target,
               bundle.info().vae_factor, bundle.info().latent_scale})) {}

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
  return {parts[0] * impl_->latent_scale, at::exp(log_variance * 0.5) * impl_->latent_scale};
}

struct VaeDecoder::Impl {
  torch::jit::Module module;
  ComputeTarget target;
  double latent_scale;
};

VaeDecoder::VaeDecoder(const Bundle& bundle, const ComputeTarget& target)
    : impl_(std::make_unique<Impl>(
          Impl{load_script_part(bundle, "vae_decoder", "vae", target, ModelUse::kInference), target,
               bundle.info().latent_scale})) {}

VaeDecoder::VaeDecoder(std::unique_ptr<const TinyAutoencoder> tiny) : tiny_(std::move(tiny)) {}

VaeDecoder::~VaeDecoder() = default;
VaeDecoder::VaeDecoder(VaeDecoder&&) noexcept = default;
VaeDecoder& VaeDecoder::operator=(VaeDecoder&&) noexcept = default;

at::Tensor VaeDecoder::decode(const at::Tensor& latents) const {
  if (tiny_) return tiny_->decode(latents);
  const at::Tensor unscaled = latents / impl_->latent_scale;
  return run_method(impl_->module, "forward",
                    {to_device(unscaled, impl_->target.device)
                         .to(impl_->target.dtype)
                         .contiguous(image_layout(impl_->target, ModelUse::kInference))})
      .to(at::kFloat)
      .contiguous();
}

}  // namespace sdx
