#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>

#include "generation/background.h"
#include "generation/batches.h"
#include "generation/image_decoder.h"
#include "generation/pass_plan.h"
#include "generation/previewer.h"
#include "generation/start_image.h"
#include "sdx/device/device.h"
#include "sdx/generation/guidance.h"
#include "sdx/generation/image_size.h"
#include "sdx/model/bundle.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "sdx/scheduler/noise_schedule.h"

namespace sdx {

/// What a batch starts from, and the latents that come out.
struct Denoised {
  std::shared_ptr<const PreparedStart> start;  ///< null: noise alone
  at::Tensor latents;                          ///< [B,C,h,w] float32, a row for each of the batch
};

/// Noise → latents: takes a batch through the UNet, twice where its pictures are made larger.
class BatchDenoiser {
 public:
  /// The network and the decoder outlive it.
  BatchDenoiser(const Bundle& bundle, const ComputeTarget& target, const UNet& unet,
                const ImageDecoder& decoder)
      : bundle_(bundle),
        target_(target),
        schedule_(bundle.info().noise_schedule),
        unet_(unet),
        decoder_(decoder) {}

  /// Both passes of a batch.
  /// @param initial_latents of all requests, in place of the noise of their seeds
  /// @param background      waited for before the autoencoder is used
  /// @param previewer       null: nobody looks
  /// @param after_step      of all pictures of the batch
  Denoised denoise(const Batch& batch, const std::optional<at::Tensor>& initial_latents,
                   ContextCache& contexts, Background& background, const Previewer* previewer,
                   const std::function<void()>& after_step) const;

 private:
  /// One pass.
  struct Walk {
    const Batch& batch;
    const PassPlan& plan;
    LatentSize size;
    at::Tensor noise;     ///< [B,C,h,w]
    at::Tensor original;  ///< what is noised with it; undefined: it is noise alone
    at::Tensor mask;      ///< of what is made anew; undefined: all, or what the UNet itself is told
  };

  at::Tensor take(const Walk& walk, ContextCache& contexts, const Previewer* previewer,
                  const std::function<void()>& after_step) const;
  at::Tensor enlarge(const at::Tensor& latents, const ImageSettings& settings,
                     const LatentSize& size) const;
  at::Tensor draw_start_noise(const Batch& batch, const LatentSize& size,
                              const std::optional<at::Tensor>& given) const;
  void show_preview(const Previewer& previewer, const Batch& batch, const at::Tensor& latents,
                    int step, int steps) const;

  const BundleInfo& info() const { return bundle_.info(); }
  const VaeEncoder& vae_encoder() const;

  Bundle bundle_;
  ComputeTarget target_;
  NoiseSchedule schedule_;
  const UNet& unet_;
  const ImageDecoder& decoder_;
  mutable std::unique_ptr<VaeEncoder> encoder_;
};

}  // namespace sdx
