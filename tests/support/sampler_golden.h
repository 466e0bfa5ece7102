#pragma once

#include <filesystem>

#include "sdx/scheduler/sampling_points.h"
#include "sdx/tensor/safetensors.h"

namespace sdx::test {

/// Trajectories of diffusers and k-diffusion, made by scripts/parity/make_sampler_goldens.py, which
/// explains the keys.
inline const TensorMap& sampler_golden() {
  static const Safetensors content =
      map_safetensors(std::filesystem::path(SDX_TEST_DATA) / "samplers.safetensors");
  return content.tensors;
}

/// The schedule of Stable Diffusion, for a model that predicts the noise.
inline NoiseSchedule stable_diffusion_schedule() { return NoiseSchedule(NoiseScheduleConfig{}); }

/// The settings of a sampler with what it does by default.
inline SamplerSettings make_settings(SamplerKind sampler, int steps) {
  SamplerSettings settings;
  settings.sampler = sampler;
  settings.steps = steps;
  return settings;
}

}  // namespace sdx::test
