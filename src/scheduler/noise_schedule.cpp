#include "sdx/scheduler/noise_schedule.h"

#include <cmath>

#include "sdx/util/error.h"

namespace sdx {

std::string_view to_string(PredictionType type) {
  return type == PredictionType::kEpsilon ? "epsilon" : "v_prediction";
}

std::string_view to_string(BetaSchedule schedule) {
  return schedule == BetaSchedule::kLinear ? "linear" : "scaled_linear";
}

PredictionType parse_prediction_type(std::string_view text) {
  for (const auto type : {PredictionType::kEpsilon, PredictionType::kVelocity}) {
    if (text == to_string(type)) return type;
  }
  throw DataError("prediction type: expected epsilon or v_prediction, found \"" +
                  std::string(text) + "\"");
}

BetaSchedule parse_beta_schedule(std::string_view text) {
  for (const auto schedule : {BetaSchedule::kLinear, BetaSchedule::kScaledLinear}) {
    if (text == to_string(schedule)) return schedule;
  }
  throw DataError("beta schedule: expected linear or scaled_linear, found \"" + std::string(text) +
                  "\"");
}

NoiseSchedule::NoiseSchedule(const NoiseScheduleConfig& config) : config_(config) {
  const int count = config.train_timesteps;
  if (count < 1 || !(config.beta_start > 0) || !(config.beta_end < 1) ||
      config.beta_start > config.beta_end) {
    throw DataError(
        "noise schedule: expected 0 < beta_start <= beta_end < 1 and at least one "
        "timestep, found " +
        std::to_string(config.beta_start) + ", " + std::to_string(config.beta_end) + ", " +
        std::to_string(count));
  }
  const bool scaled = config.beta_schedule == BetaSchedule::kScaledLinear;
  const double first = scaled ? std::sqrt(config.beta_start) : config.beta_start;
  const double last = scaled ? std::sqrt(config.beta_end) : config.beta_end;
  double alpha_cumprod = 1;
  for (int t = 0; t < count; ++t) {
    const double value = count == 1 ? first : first + (last - first) * t / (count - 1);
    alpha_cumprod *= 1 - (scaled ? value * value : value);
    alphas_cumprod_.push_back(alpha_cumprod);
  }
}

double NoiseSchedule::alpha(int timestep) const {
  return std::sqrt(alphas_cumprod_.at(static_cast<std::size_t>(timestep)));
}

double NoiseSchedule::sigma(int timestep) const {
  return std::sqrt(1 - alphas_cumprod_.at(static_cast<std::size_t>(timestep)));
}

}  // namespace sdx
