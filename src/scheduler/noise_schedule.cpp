#include "sdx/scheduler/noise_schedule.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sdx/util/error.h"

namespace sdx {

namespace {

/// ᾱ of the last timestep where a sampler divides by α, in place of 0.
constexpr double kLeastAlphaCumprod = 1.0 / (1 << 24);

/// Lin et al. 2023, algorithm 1.
void rescale_to_zero_terminal_snr(std::vector<double>& alphas_cumprod) {
  const double first = std::sqrt(alphas_cumprod.front());
  const double last = std::sqrt(alphas_cumprod.back());
  for (double& alpha_cumprod : alphas_cumprod) {
    const double alpha = (std::sqrt(alpha_cumprod) - last) * first / (first - last);
    alpha_cumprod = alpha * alpha;
  }
}

/// ᾱ at each timestep of a schedule that is made of levels.
std::vector<double> list_edm_alphas(const EdmLevels& edm, int count) {
  if (count < 2 || !(edm.lowest > 0) || !(edm.highest > edm.lowest) || !(edm.data > 0) ||
      !std::isfinite(edm.highest) || !std::isfinite(edm.data)) {
    throw DataError(
        "noise schedule: expected 0 < sigma_min < sigma_max, 0 < sigma_data and two timesteps at "
        "least, found " +
        std::to_string(edm.lowest) + ", " + std::to_string(edm.highest) + ", " +
        std::to_string(edm.data) + ", " + std::to_string(count));
  }
  std::vector<double> alphas_cumprod;
  for (int t = 0; t < count; ++t) {
    const double level = edm.lowest / edm.data *
                         std::pow(edm.highest / edm.lowest, static_cast<double>(t) / (count - 1));
    alphas_cumprod.push_back(1 / (1 + level * level));
  }
  return alphas_cumprod;
}

/// ᾱ at each timestep of a schedule that is made of β.
std::vector<double> list_alphas(const NoiseScheduleConfig& config) {
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
  std::vector<double> alphas_cumprod;
  double alpha_cumprod = 1;
  for (int t = 0; t < count; ++t) {
    const double value = count == 1 ? first : first + (last - first) * t / (count - 1);
    alpha_cumprod *= 1 - (scaled ? value * value : value);
    alphas_cumprod.push_back(alpha_cumprod);
  }
  return alphas_cumprod;
}

}  // namespace

NoiseSchedule::NoiseSchedule(const NoiseScheduleConfig& config) : config_(config) {
  alphas_cumprod_ = config.beta_schedule == BetaSchedule::kEdm
                        ? list_edm_alphas(config.edm, config.train_timesteps)
                        : list_alphas(config);
  if (config.zero_terminal_snr) {
    if (config.prediction_type == PredictionType::kEpsilon || config.train_timesteps == 1) {
      throw DataError(
          "noise schedule: zero_terminal_snr: expected prediction type v_prediction or sample and "
          "two timesteps at least; set zero_terminal_snr to false for a model of the noise");
    }
    rescale_to_zero_terminal_snr(alphas_cumprod_);
  }
  for (const double value : alphas_cumprod_) {
    const double positive = std::max(value, kLeastAlphaCumprod);
    levels_.push_back(std::sqrt((1 - positive) / positive));
  }
}

double NoiseSchedule::alpha(int timestep) const {
  return std::sqrt(alphas_cumprod_.at(static_cast<std::size_t>(timestep)));
}

double NoiseSchedule::sigma(int timestep) const {
  return std::sqrt(1 - alphas_cumprod_.at(static_cast<std::size_t>(timestep)));
}

double NoiseSchedule::level(double timestep) const {
  const double below = std::floor(timestep);
  const double low = levels_.at(static_cast<std::size_t>(below));
  if (timestep == below) return low;
  return low + (levels_.at(static_cast<std::size_t>(below) + 1) - low) * (timestep - below);
}

double NoiseSchedule::network_time(double timestep) const {
  if (config_.beta_schedule != BetaSchedule::kEdm) return timestep;
  const double first = std::log(config_.edm.lowest);
  const double last = std::log(config_.edm.highest);
  return (first + (last - first) * timestep / (config_.train_timesteps - 1)) / 4;
}

double NoiseSchedule::timestep_of_level(double level) const {
  const auto above = std::upper_bound(levels_.begin(), levels_.end(), level);
  if (above == levels_.begin()) return 0;
  const auto below = static_cast<double>(above - levels_.begin() - 1);
  if (above == levels_.end()) return below;
  const double low = *(above - 1);
  return below + std::log(level / low) / std::log(*above / low);
}

}  // namespace sdx
