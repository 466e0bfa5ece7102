#include "sdx/scheduler/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sdx/util/error.h"

namespace sdx {

namespace {

struct SamplerName {
  SamplerKind kind;
  std::string_view typed;
  std::string_view displayed;
};

constexpr std::array<SamplerName, 2> kSamplers = {{
    {SamplerKind::kDdim, "ddim", "DDIM"},
    {SamplerKind::kDpmpp2m, "dpmpp_2m", "DPM++ 2M"},
}};

const SamplerName& name_of(SamplerKind kind) {
  return *std::find_if(kSamplers.begin(), kSamplers.end(),
                       [kind](const SamplerName& name) { return name.kind == kind; });
}

/// Half the logarithm of the signal-to-noise ratio: the time in which DPM-Solver is linear.
double lambda(const SamplingPoint& point) { return std::log(point.alpha / point.sigma); }

SamplingPoint schedule_point(const NoiseSchedule& schedule, int timestep) {
  return {timestep, schedule.alpha(timestep), schedule.sigma(timestep)};
}

std::vector<SamplingPoint> leading_points(const NoiseSchedule& schedule, int steps) {
  const int stride = schedule.train_timesteps() / steps;
  const int last = schedule.train_timesteps() - 1;
  std::vector<SamplingPoint> points;
  for (int i = steps - 1; i >= 0; --i) {
    const int timestep = std::min(i * stride + schedule.config().steps_offset, last);
    points.push_back(schedule_point(schedule, timestep));
  }
  points.push_back(schedule_point(schedule, 0));
  return points;
}

std::vector<SamplingPoint> linspace_points(const NoiseSchedule& schedule, int steps) {
  const double last = schedule.train_timesteps() - 1;
  std::vector<SamplingPoint> points;
  for (int i = steps; i >= 1; --i) {
    // nearbyint rounds halves to even, as numpy does in the reference.
    points.push_back(schedule_point(schedule, static_cast<int>(std::nearbyint(last * i / steps))));
  }
  points.push_back({0, 1, 0});
  return points;
}

}  // namespace

std::string_view to_string(SamplerKind kind) { return name_of(kind).typed; }

std::string_view display_name(SamplerKind kind) { return name_of(kind).displayed; }

SamplerKind parse_sampler(std::string_view text) {
  std::string known;
  for (const SamplerName& name : kSamplers) {
    if (text == name.typed) return name.kind;
    known += (known.empty() ? "" : ", ") + std::string(name.typed);
  }
  throw UsageError("--sampler: expected one of " + known + "; found \"" + std::string(text) + "\"");
}

std::vector<SamplingPoint> sampling_points(const NoiseSchedule& schedule, SamplerKind kind,
                                           int steps) {
  if (steps < 1 || steps > schedule.train_timesteps()) {
    throw UsageError("--steps: expected 1 to " + std::to_string(schedule.train_timesteps()) +
                     ", found " + std::to_string(steps));
  }
  return kind == SamplerKind::kDdim ? leading_points(schedule, steps)
                                    : linspace_points(schedule, steps);
}

at::Tensor predicted_original(const at::Tensor& sample, const at::Tensor& model_output,
                              const SamplingPoint& point, PredictionType type) {
  if (type == PredictionType::kVelocity) return sample * point.alpha - model_output * point.sigma;
  return (sample - model_output * point.sigma) / point.alpha;
}

Sampler::Sampler(SamplerKind kind, PredictionType type, std::vector<SamplingPoint> points)
    : kind_(kind), type_(type), points_(std::move(points)) {}

at::Tensor Sampler::advance(int step, const at::Tensor& sample, const at::Tensor& model_output) {
  const SamplingPoint& from = point(step);
  const SamplingPoint& to = point(step + 1);
  const at::Tensor original = predicted_original(sample, model_output, from, type_);

  if (kind_ == SamplerKind::kDdim) {
    const at::Tensor noise = (sample - original * from.alpha) / from.sigma;
    return original * to.alpha + noise * to.sigma;
  }

  // To sigma 0, lambda is infinite and the exponential vanishes: the step lands on x₀.
  const double shrink = to.sigma == 0 ? -1 : std::expm1(lambda(from) - lambda(to));
  at::Tensor direction = original;
  if (step > 0 && step + 1 < steps()) {
    const double ratio = (lambda(from) - lambda(point(step - 1))) / (lambda(to) - lambda(from));
    direction = original + (original - previous_original_) * (0.5 / ratio);
  }
  previous_original_ = original;
  return sample * (to.sigma / from.sigma) - direction * (to.alpha * shrink);
}

}  // namespace sdx
