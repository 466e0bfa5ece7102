#include "sdx/scheduler/sampling_points.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "scheduler/noise_levels.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// The first `steps` of `parts` multiples. The offset is left out where it does not fit.
std::vector<double> leading_timesteps(const NoiseSchedule& schedule, int steps, int parts) {
  const int last = schedule.train_timesteps() - 1;
  const int stride = std::max(schedule.train_timesteps() / parts, 1);
  const int offset = std::min(schedule.config().steps_offset, last - (parts - 1) * stride);
  std::vector<double> timesteps;
  for (int i = parts - 1; i >= parts - steps; --i) timesteps.push_back(i * stride + offset);
  return timesteps;
}

/// nearbyint rounds halves to even, as numpy does in the reference.
std::vector<double> trailing_timesteps(const NoiseSchedule& schedule, int steps) {
  const double count = schedule.train_timesteps();
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    timesteps.push_back(std::nearbyint(count - count * i / steps) - 1);
  }
  return timesteps;
}

/// The first `steps` of `points` timesteps from the noisiest to the cleanest.
std::vector<double> linspace_timesteps(const NoiseSchedule& schedule, int steps, int points) {
  const double last = schedule.train_timesteps() - 1;
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    timesteps.push_back(points == 1 ? last : last * (points - 1 - i) / (points - 1));
  }
  return timesteps;
}

std::vector<double> rounded(std::vector<double> timesteps) {
  for (double& timestep : timesteps) timestep = std::nearbyint(timestep);
  return timesteps;
}

/// Source: diffusers' schedulers of these samplers.
std::vector<double> spaced_timesteps(const NoiseSchedule& schedule, SamplerSpacing sampler,
                                     TimestepSpacing spacing, int steps) {
  const bool multistep = sampler == SamplerSpacing::kMultistep;
  if (spacing == TimestepSpacing::kTrailing) return trailing_timesteps(schedule, steps);
  if (spacing == TimestepSpacing::kLeading) {
    return leading_timesteps(schedule, steps, multistep ? steps + 1 : steps);
  }
  // No more points than timesteps: two points at one level are a step of no length.
  const int points = multistep ? std::min(steps + 1, schedule.train_timesteps()) : steps;
  const auto timesteps = linspace_timesteps(schedule, steps, points);
  return sampler == SamplerSpacing::kLinspace ? timesteps : rounded(timesteps);
}

/// Evenly chosen from the timesteps of the distillation.
/// Source: diffusers' LCMScheduler.
std::vector<double> consistency_timesteps(const NoiseSchedule& schedule, int steps,
                                          int original_steps) {
  const int stride = schedule.train_timesteps() / original_steps;
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    const int index = i * original_steps / steps;
    timesteps.push_back((original_steps - index) * stride - 1);
  }
  return timesteps;
}

/// Source: the "simple" schedule of ComfyUI and AUTOMATIC1111.
std::vector<double> simple_timesteps(const NoiseSchedule& schedule, int steps) {
  const double stride = static_cast<double>(schedule.train_timesteps()) / steps;
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    timesteps.push_back(schedule.train_timesteps() - 1 - static_cast<int>(i * stride));
  }
  return timesteps;
}

/// The straight line from the noisiest to the cleanest timestep without its end; levels between two
/// timesteps linear in their logarithm.
/// Source: generative-models (SGM) as AUTOMATIC1111 has it on k-diffusion's DiscreteSchedule.
std::vector<SamplingPoint> sgm_uniform_points(const NoiseSchedule& schedule, int steps) {
  std::vector<SamplingPoint> points;
  for (const double timestep : linspace_timesteps(schedule, steps, steps + 1)) {
    const double below = std::floor(timestep);
    const double low = std::log(schedule.level(below));
    const double high = std::log(schedule.level(std::ceil(timestep)));
    points.push_back(point_at_level(timestep, std::exp(low + (high - low) * (timestep - below))));
  }
  return points;
}

/// The timestep at which the model is asked for a level; diffusers rounds some, see the header.
double asked_timestep(const NoiseSchedule& schedule, const SamplerSettings& settings,
                      double level) {
  const double timestep = schedule.timestep_of_level(level);
  const bool rounds = sampler_info(settings.sampler).rounds_karras &&
                      schedule.config().beta_schedule != BetaSchedule::kEdm;
  return rounds && settings.schedule == ScheduleKind::kKarras ? std::nearbyint(timestep) : timestep;
}

std::vector<SamplingPoint> points_at_levels(const NoiseSchedule& schedule,
                                            const SamplerSettings& settings,
                                            const std::vector<double>& levels) {
  std::vector<SamplingPoint> points;
  for (const double level : levels) {
    points.push_back(point_at_level(asked_timestep(schedule, settings, level), level));
  }
  return points;
}

std::vector<SamplingPoint> points_at_timesteps(const NoiseSchedule& schedule,
                                               const std::vector<double>& timesteps) {
  std::vector<SamplingPoint> points;
  for (const double timestep : timesteps) points.push_back(point_at(schedule, timestep));
  return points;
}

std::vector<double> custom_levels(const SamplerSettings& settings) {
  std::vector<double> levels = settings.custom_sigmas;
  if (!levels.empty() && levels.back() == 0) levels.pop_back();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (!(levels[i] > 0) || !std::isfinite(levels[i]) || (i > 0 && levels[i] >= levels[i - 1])) {
      throw SettingError("sigmas", "falling noise levels above 0",
                         std::to_string(levels[i]) + " in place " + std::to_string(i + 1));
    }
  }
  if (levels.empty()) throw UsageError("`schedule` custom: expected noise levels with `sigmas`");
  return levels;
}

std::vector<SamplingPoint> automatic_points(const NoiseSchedule& schedule,
                                            const SamplerSettings& settings) {
  const SamplerSpacing spacing = sampler_info(settings.sampler).spacing;
  const auto requested = schedule.config().timestep_spacing;
  if (spacing == SamplerSpacing::kConsistency) {
    const int original_steps = std::min(settings.lcm_original_steps, schedule.train_timesteps());
    return points_at_timesteps(schedule,
                               consistency_timesteps(schedule, settings.steps, original_steps));
  }
  const bool is_edm = schedule.config().beta_schedule == BetaSchedule::kEdm;
  if ((spacing == SamplerSpacing::kKarras || is_edm) && !requested) {
    return points_at_levels(schedule, settings, karras_levels(schedule, settings.steps));
  }
  if (spacing == SamplerSpacing::kExponential && !requested) {
    return points_at_levels(schedule, settings, exponential_levels(schedule, settings.steps));
  }
  const TimestepSpacing usual =
      spacing == SamplerSpacing::kDiscrete ? TimestepSpacing::kLeading : TimestepSpacing::kLinspace;
  return points_at_timesteps(
      schedule, spaced_timesteps(schedule, spacing, requested.value_or(usual), settings.steps));
}

std::vector<SamplingPoint> step_points(const NoiseSchedule& schedule,
                                       const SamplerSettings& settings) {
  const int steps = settings.steps;
  switch (settings.schedule) {
    case ScheduleKind::kNormal:
      return points_at_timesteps(schedule, linspace_timesteps(schedule, steps, steps));
    case ScheduleKind::kKarras:
      return points_at_levels(schedule, settings, karras_levels(schedule, steps));
    case ScheduleKind::kExponential:
      return points_at_levels(schedule, settings, exponential_levels(schedule, steps));
    case ScheduleKind::kSgmUniform:
      return sgm_uniform_points(schedule, steps);
    case ScheduleKind::kSimple:
      return points_at_timesteps(schedule, simple_timesteps(schedule, steps));
    case ScheduleKind::kDdim:
      return points_at_timesteps(schedule, leading_timesteps(schedule, steps, steps));
    case ScheduleKind::kBeta:
      return points_at_levels(schedule, settings, beta_levels(schedule, steps));
    case ScheduleKind::kTrailing:
      return points_at_timesteps(schedule, trailing_timesteps(schedule, steps));
    case ScheduleKind::kAys:
      return points_at_levels(schedule, settings, align_your_steps_levels(steps));
    case ScheduleKind::kCustom:
      return points_at_levels(schedule, settings, custom_levels(settings));
    case ScheduleKind::kAuto:
      return automatic_points(schedule, settings);
  }
  throw InternalError("sampling_points: a schedule without points");
}

void check_steps(const NoiseSchedule& schedule, const SamplerSettings& settings) {
  if (settings.schedule == ScheduleKind::kCustom) return;
  const SamplerInfo& sampler = sampler_info(settings.sampler);
  const bool distilled =
      sampler.spacing == SamplerSpacing::kConsistency && settings.schedule == ScheduleKind::kAuto;
  const int most = distilled ? std::min(settings.lcm_original_steps, schedule.train_timesteps())
                             : schedule.train_timesteps();
  if (settings.steps >= 1 && settings.steps <= most) return;
  const std::string why =
      distilled ? " with the sampler " + std::string(sampler.typed) + " (others take more)" : "";
  throw SettingError("steps", "1 to " + std::to_string(most) + why, std::to_string(settings.steps));
}

/// Whether the picture is taken at the training's first timestep: some samplers know nothing
/// cleaner.
bool ends_at_first_timestep(const SamplerSettings& settings) {
  if (!sampler_info(settings.sampler).ends_at_first_timestep) return false;
  switch (settings.schedule) {
    case ScheduleKind::kAuto:
    case ScheduleKind::kDdim:
    case ScheduleKind::kTrailing:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<SamplingPoint> sampling_points(const NoiseSchedule& schedule,
                                           const SamplerSettings& settings) {
  check_steps(schedule, settings);
  std::vector<SamplingPoint> points = step_points(schedule, settings);
  for (SamplingPoint& point : points) {
    if (point.alpha == 0 && !sampler_info(settings.sampler).takes_pure_noise) {
      point = point_at_level(point.timestep, schedule.level(point.timestep));
    }
  }
  points.push_back(ends_at_first_timestep(settings) ? point_at(schedule, 0)
                                                    : SamplingPoint{0, 1, 0});
  return points;
}

}  // namespace sdx
