#include "generation/batches.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "generation/pass_plan.h"
#include "sdx/device/recorded_call.h"
#include "sdx/generation/image_size.h"
#include "sdx/prompt/prompt.h"
#include "sdx/tensor/allocation_meter.h"

namespace sdx {

namespace {

constexpr int kMostAtOnce = 8;
constexpr int kBusyLatents = 4096;  ///< a picture of 512 px: enough work for all cores of a CPU

/// What decides which rows go through the UNet together, and in which steps: pictures of a batch
/// have it in common, so that each is made as it would be in a batch of its own kind.
std::vector<std::int64_t> find_shape(const ImageRequest& request, const NoiseSchedule& schedule,
                                     const ImageSize& size, ContextCache& contexts) {
  const ImageSettings& settings = request.settings;
  const auto parts_in = [&](const PromptSteps& steps) {
    std::vector<PromptPart> parts =
        *contexts.parts(request.prompt, settings.grammar, PromptRole::kPositive, steps);
    const auto negative =
        contexts.parts(request.negative_prompt, settings.grammar, PromptRole::kNegative, steps);
    parts.insert(parts.end(), negative->begin(), negative->end());
    return parts;
  };
  std::vector<std::int64_t> shape;
  for (const PromptPart& part : parts_in({settings.sampler.steps, 0})) {
    shape.push_back(
        contexts.conditioning(part.stages.front().prompt, settings.clip_skip, size).positions());
    if (settings.guidance_end < 1) shape.push_back(part.weight > 0 ? 1 : 0);
  }
  if (settings.feature_interval == 1) return shape;
  for (const PassPlan& plan : plan_passes(settings, schedule)) {
    for (const PromptPart& part : parts_in(plan.prompt_steps)) {
      for (int step = 1; step < plan.steps_to_take(); ++step) {
        shape.push_back(text_at(part, step).text == text_at(part, step - 1).text ? 0 : 1);
      }
    }
  }
  return shape;
}

}  // namespace

int Batches::steady_size(const ImageSettings& settings) const {
  if (!target_.device.is_cpu()) return kMostAtOnce / 2;
  const LatentSize size = latent_size(settings, info_, settings.hires.scale);
  return std::clamp(kBusyLatents / (size.height * size.width), 1, kMostAtOnce);
}

/// As many pictures as keep the processor busy, if half of the free memory holds them, by a
/// measured evaluation of the UNet. More would only make the first one late.
int Batches::automatic_size(const ImageRequest& request, ContextCache& contexts) const {
  const int useful = steady_size(request.settings);
  if (useful == 1) return useful;
  const LatentSize size = latent_size(request.settings, info_, request.settings.hires.scale);
  const ImageSize image{size.width * info_.vae_factor, size.height * info_.vae_factor};
  Guidance guidance({request}, {1, 0}, 0, image, unet_, contexts, make_nothing_beside(size, info_));
  const PlainCallsGuard plain;
  const AllocationMeter meter;
  guidance.predict(at::zeros({1, size.channels, size.height, size.width}), 0, 0);
  const double bytes = static_cast<double>(std::max<std::int64_t>(meter.peak_bytes(), 1));
  const double images = static_cast<double>(available_bytes(target_.device)) / 2 / bytes;
  return static_cast<int>(std::clamp(images, 1.0, static_cast<double>(useful)));
}

Batch Batches::next(const std::vector<ImageRequest>& requests, std::size_t first,
                    const BatchOptions& options, ContextCache& contexts) const {
  if (options.replay) {
    const auto [size, position] = *options.replay;
    return {first, 1, std::vector(static_cast<std::size_t>(size), requests[first]),
            static_cast<std::size_t>(position)};
  }
  const ImageSettings& settings = requests[first].settings;
  const auto [width_px, height_px] = image_size(settings, info_);
  const ImageSize image{width_px, height_px};
  const auto shape = find_shape(requests[first], schedule_, image, contexts);
  const std::size_t end =
      std::min(requests.size(),
               first + static_cast<std::size_t>(options.size > 0 ? options.size : kMostAtOnce));
  std::size_t last = first + 1;
  while (last < end && requests[last].settings == settings &&
         find_shape(requests[last], schedule_, image, contexts) == shape) {
    ++last;
  }
  if (last > first + 1 && options.size == 0) {
    const int most = automatic_size(requests[first], contexts);
    last = std::min(last, first + static_cast<std::size_t>(most));
  }
  return {first,
          last - first,
          {requests.begin() + static_cast<std::ptrdiff_t>(first),
           requests.begin() + static_cast<std::ptrdiff_t>(last)},
          0};
}

}  // namespace sdx
