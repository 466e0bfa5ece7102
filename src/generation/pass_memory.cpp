#include "generation/pass_memory.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

#include "sdx/device/recorded_call.h"
#include "sdx/generation/guidance.h"
#include "sdx/generation/image_size.h"
#include "sdx/tensor/allocation_meter.h"
#include "sdx/util/error.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

constexpr double kModestTimes = 16;  ///< of the native area: its memory is not even estimated

double count_latents(const LatentSize& size) {
  return static_cast<double>(size.height) * size.width;
}

}  // namespace

/// Of an evaluation of the UNet for each latent of a picture.
double PassMemory::evaluation_bytes() const {
  if (unet_bytes_ > 0) return unet_bytes_;
  const at::NoGradGuard no_grad;
  const ImageRequest request;
  const LatentSize size = latent_size(request.settings, info_);
  const ImageSize image{size.width * info_.vae_factor, size.height * info_.vae_factor};
  const EmbeddingTable none;
  PromptCache texts;
  ContextCache contexts(tokenizer_, none, text_encoders_, texts);
  Guidance guidance({request}, {1, 0}, 0, image, unet_, contexts, make_nothing_beside(size, info_));
  const PlainCallsGuard plain;
  const AllocationMeter meter;
  guidance.predict(at::zeros({1, size.channels, size.height, size.width}), 0, 0);
  unet_bytes_ = static_cast<double>(std::max<std::int64_t>(meter.peak_bytes(), 1)) /
                (size.height * size.width);
  return unet_bytes_;
}

double PassMemory::estimate_bytes(const ImageSettings& settings) const {
  double latents = count_latents(latent_size(settings, info_, settings.hires.scale));
  // A face is made by itself, behind its picture.
  if (settings.faces.refine) latents = std::max(latents, count_latents(latent_size({}, info_)));
  return evaluation_bytes() * latents;
}

void PassMemory::check(const ImageSettings& settings) const {
  const LatentSize size = latent_size(settings, info_, settings.hires.scale);
  if (count_latents(size) <= kModestTimes * count_latents(latent_size({}, info_))) return;
  const double bytes = estimate_bytes(settings);
  const auto free = static_cast<double>(available_bytes(device_));
  if (bytes <= free) return;
  const auto side = [this](int latents) { return std::to_string(latents * info_.vae_factor); };
  throw TryAgainError("`size`: " + side(size.width) + "x" + side(size.height) +
                      " pixels take about " + bytes_text(static_cast<std::uint64_t>(bytes)) +
                      " of memory, and " + bytes_text(static_cast<std::uint64_t>(free)) +
                      " are free; make the picture smaller");
}

}  // namespace sdx
