#include "sdx/generation/sampling_presets.h"

#include "sdx/generation/image_options.h"

namespace sdx {

void apply_sampling_preset(SamplingPreset preset, ImageOptions& options) {
  options.preset = preset;
  for (const SamplingPresetInfo& info : kSamplingPresets) {
    if (info.preset != preset) continue;
    options.sampler = info.sampler;
    SamplerSettings& sampler = options.settings.sampler;
    sampler.schedule = info.schedule;
    sampler.steps = info.steps;
    sampler.custom_sigmas.clear();
    options.guidance_scale = info.guidance_scale;
  }
}

}  // namespace sdx
