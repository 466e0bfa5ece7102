#pragma once

#include <vector>

#include "sdx/scheduler/noise_schedule.h"
#include "sdx/scheduler/prediction.h"
#include "sdx/scheduler/sampler.h"

namespace sdx {

/// How a picture is sampled.
struct SamplerSettings {
  SamplerKind sampler = SamplerKind::kDpmpp2m;
  ScheduleKind schedule = ScheduleKind::kAuto;
  int steps = 20;  ///< 1 … train_timesteps; not used with kCustom
  /// For kCustom: the noise levels σ/α of the steps, falling, above 0; a 0 at the end may be left
  /// out.
  std::vector<double> custom_sigmas;
  /// For LCM and TCD with kAuto: the steps of the teacher's sampler in the model's distillation.
  /// They visit a subset of them, so they can take no more steps than these.
  int lcm_original_steps = 50;
  /// The model's. PNDM combines raw outputs of the model and so needs to know what they are; the
  /// other samplers do not care.
  PredictionType prediction_type = PredictionType::kEpsilon;

  bool operator==(const SamplerSettings&) const = default;
};

/// The points at which the model is asked, noisiest first, one for each step, and the point where
/// the picture is taken (its timestep is not used).
///
/// kAuto is spaced as by the sampler's class in diffusers or, where there is none (DPM++ 2S a,
/// DPM++ 3M SDE), as AUTOMATIC1111 does; NoiseScheduleConfig::timestep_spacing comes before what
/// the class does by default. LCM and TCD with kAuto are spaced as in their distillation.
/// A model that was trained on levels (BetaSchedule::kEdm) has Karras' with kAuto, but for those
/// two. Timesteps lie between whole ones where a schedule is made of noise levels; only Karras' are
/// rounded, as in diffusers, for DPM++ 2M, DPM++ 2M SDE, UniPC, DPM2 and DPM2 a, not for kEdm.
/// @throws UsageError unless 1 ≤ steps ≤ train_timesteps (LCM, TCD: lcm_original_steps), or for
/// custom
///         sigmas that do not fall.
std::vector<SamplingPoint> sampling_points(const NoiseSchedule& schedule,
                                           const SamplerSettings& settings);

}  // namespace sdx
