#pragma once

#include <vector>

#include "sdx/generation/noise.h"
#include "sdx/generation/settings.h"

namespace sdx {

/// A walk of the sampler: the first from noise or a start image, the second over an enlarged
/// picture.
struct PassPlan {
  Pass pass = Pass::kFirst;
  SamplerSettings sampler;
  std::vector<SamplingPoint> points;
  PromptSteps prompt_steps;
  int first_step = 0;  ///< later ones are taken

  int steps_to_take() const { return prompt_steps.steps - first_step; }
};

/// The passes of a picture, one or two.
/// @throws as sampling_points().
std::vector<PassPlan> plan_passes(const ImageSettings& settings, const NoiseSchedule& schedule);

/// The steps of all passes.
int steps_to_take(const ImageSettings& settings, const NoiseSchedule& schedule);

}  // namespace sdx
