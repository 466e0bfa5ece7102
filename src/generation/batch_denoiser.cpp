#include "generation/batch_denoiser.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>

#include <limits>
#include <utility>

#include "generation/not_finite.h"
#include "sdx/device/pace.h"
#include "sdx/device/transfer.h"
#include "sdx/generation/noise.h"
#include "sdx/image/convert.h"
#include "sdx/image/transform.h"
#include "sdx/scheduler/sample_along.h"

namespace sdx {

Denoised BatchDenoiser::denoise(const Batch& batch,
                                const std::optional<at::Tensor>& initial_latents,
                                ContextCache& contexts, Background& background,
                                const Previewer* previewer,
                                const std::function<void()>& after_step) const {
  const ImageSettings& settings = batch.requests.front().settings;
  const LatentSize size = latent_size(settings, info());
  std::shared_ptr<const PreparedStart> start;
  if (settings.start) {
    background.wait();
    const ImageSize px = image_size(settings, info());
    start = std::make_shared<PreparedStart>(prepare_start(
        *settings.start, px.width_px, px.height_px, info().vae_factor, vae_encoder()));
  }
  // As in diffusers' inpainting pipelines: nothing shows through from below the mask.
  const bool begins_anew = info().inpainting && settings.strength >= 1;
  const std::vector<PassPlan> passes = plan_passes(settings, schedule_);
  at::Tensor latents =
      take({batch, passes.front(), size, draw_start_noise(batch, size, initial_latents),
            start && !begins_anew ? start->latents : at::Tensor(),
            start && !info().inpainting ? start->latent_mask : at::Tensor()},
           contexts, previewer, after_step);
  if (passes.size() > 1) {
    const LatentSize larger = latent_size(settings, info(), settings.hires.scale);
    background.wait();
    latents = take({batch, passes.back(), larger, draw_start_noise(batch, larger, std::nullopt),
                    enlarge(latents, settings, larger), at::Tensor()},
                   contexts, previewer, after_step);
  }
  return {std::move(start), std::move(latents)};
}

at::Tensor BatchDenoiser::take(const Walk& walk, ContextCache& contexts, const Previewer* previewer,
                               const std::function<void()>& after_step) const {
  const Batch& batch = walk.batch;
  const PassPlan& plan = walk.plan;
  const LatentSize& size = walk.size;
  const ImageSize image{size.width * info().vae_factor, size.height * info().vae_factor};
  const StartImage* start = batch.requests.front().settings.start.get();
  Guidance guidance(batch.requests, plan.prompt_steps, plan.first_step, image, unet_, contexts,
                    info().inpainting ? encode_masked(start, image.width_px, image.height_px,
                                                      info().vae_factor, vae_encoder())
                                      : at::Tensor());
  Pace pace(target_.device);
  const SamplingPoint& begin = plan.points.at(static_cast<std::size_t>(plan.first_step));
  const at::Tensor sample = walk.original.defined()
                                ? noised(walk.original, walk.noise, begin)
                                : starting_sample(plan.sampler.sampler, walk.noise, begin);
  at::Tensor running;  // the picture that the model saw last
  return sample_along(
      schedule_, plan.sampler, plan.points, plan.first_step, sample,
      [&](const at::Tensor& x, const SamplingPoint& point, int step) {
        const at::Tensor output = guidance.predict(x, point.timestep, step - plan.first_step);
        const at::Tensor seen =
            predicted_original(x, output, point, info().noise_schedule.prediction_type);
        running = walk.mask.defined() ? seen * walk.mask + walk.original * (1 - walk.mask) : seen;
        return running;
      },
      [&](int draw) {
        std::vector<at::Tensor> rows;
        for (const ImageRequest& request : batch.requests) {
          rows.push_back(
              sampler_noise(request.seed, plan.pass, draw, size.channels, size.height, size.width));
        }
        return to_device(at::cat(rows), target_.device);
      },
      [&](int step, const at::Tensor&) {
        pace.end_round();
        after_step();
        const int steps = plan.steps_to_take();
        if (previewer != nullptr && previewer->is_due(step, steps)) {
          show_preview(*previewer, batch, running, step, steps);
        }
      });
}

at::Tensor BatchDenoiser::enlarge(const at::Tensor& latents, const ImageSettings& settings,
                                  const LatentSize& size) const {
  std::vector<at::Tensor> rows;
  for (std::int64_t i = 0; i < latents.size(0); ++i) {
    const at::Tensor one = latents.narrow(0, i, 1);
    const at::Tensor pixels =
        decoder_.decode(one, settings, decoder_.find_side(one, settings), false);
    const Image larger =
        resize(to_image(pixels), size.width * info().vae_factor, size.height * info().vae_factor);
    const at::Tensor encoded = vae_encoder().encode(to_tensor(larger)).mean;
    // An image of what is not finite would be: it stays what it is until somebody looks.
    const bool is_good = is_finite(one) && is_finite(pixels);
    rows.push_back(is_good ? encoded
                           : at::full_like(encoded, std::numeric_limits<float>::quiet_NaN()));
  }
  return at::cat(rows);
}

at::Tensor BatchDenoiser::draw_start_noise(const Batch& batch, const LatentSize& size,
                                           const std::optional<at::Tensor>& given) const {
  if (given) {
    const auto count = static_cast<std::int64_t>(batch.count);
    const auto repeats = static_cast<std::int64_t>(batch.requests.size()) / count;
    return to_device(
        given->narrow(0, static_cast<std::int64_t>(batch.first), count).repeat({repeats, 1, 1, 1}),
        target_.device);
  }
  std::vector<at::Tensor> rows;
  for (const ImageRequest& request : batch.requests) {
    rows.push_back(start_noise(request, size.channels, size.height, size.width));
  }
  return to_device(at::cat(rows), target_.device);
}

void BatchDenoiser::show_preview(const Previewer& previewer, const Batch& batch,
                                 const at::Tensor& latents, int step, int steps) const {
  const std::string& tiny = batch.requests.front().settings.vae_approx;
  previewer.show(latents.narrow(0, static_cast<std::int64_t>(batch.first_row),
                                static_cast<std::int64_t>(batch.count)),
                 tiny.empty() ? nullptr : &decoder_.tiny(tiny), step, steps);
}

/// Needed for start images and second passes only, so loaded when it is.
const VaeEncoder& BatchDenoiser::vae_encoder() const {
  if (!encoder_) encoder_ = std::make_unique<VaeEncoder>(bundle_, target_);
  return *encoder_;
}

}  // namespace sdx
