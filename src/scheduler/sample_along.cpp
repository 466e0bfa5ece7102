#include "sdx/scheduler/sample_along.h"

#include "scheduler/walk.h"
#include "sdx/util/error.h"

namespace sdx {

at::Tensor starting_sample(SamplerKind sampler, const at::Tensor& noise,
                           const SamplingPoint& first) {
  return sampler_info(sampler).start == StartingNoise::kTimesSigma ? noise * first.sigma : noise;
}

at::Tensor sample_along(const NoiseSchedule& schedule, const SamplerSettings& settings,
                        const std::vector<SamplingPoint>& points, int first_step, at::Tensor sample,
                        const Denoiser& denoise, const NoiseSource& noise,
                        const SampleObserver& observe) {
  if (first_step < 0 || first_step + 1 >= static_cast<int>(points.size())) {
    throw InternalError("sample_along: expected a first step of 0 to " +
                        std::to_string(static_cast<int>(points.size()) - 2) + ", found " +
                        std::to_string(first_step));
  }
  const Walk walk{schedule, settings, points, first_step, denoise, noise, observe};
  return sampler_info(settings.sampler).run(walk, sample);
}

}  // namespace sdx
