#include "scheduler/noise_levels.h"

#include <array>
#include <cmath>

namespace sdx {

namespace {

/// From 1 at the first step to 0 at the last; 1 if there is but one.
double remaining(int step, int steps) {
  return steps == 1 ? 1 : 1 - static_cast<double>(step) / (steps - 1);
}

/// ∫₀ˣ (t·(1 − t))^(shape − 1) dt for x ≤ ½, by the binomial series of (1 − t)^(shape − 1).
double lower_beta_integral(double x, double shape) {
  double coefficient = 1;
  double sum = 0;
  for (int n = 0; n < 60; ++n) {
    sum += coefficient / (shape + n);
    coefficient *= x * (n + 1 - shape) / (n + 1);
  }
  return std::pow(x, shape) * sum;
}

/// Where the regularized incomplete beta function of Beta(shape, shape) is `probability`, 0 … 1.
double symmetric_beta_quantile(double probability, double shape) {
  if (probability > 0.5) return 1 - symmetric_beta_quantile(1 - probability, shape);
  const double target = probability * 2 * lower_beta_integral(0.5, shape);
  double low = 0;
  double high = 0.5;
  while (high - low > 1e-14) {
    const double middle = (low + high) / 2;
    (lower_beta_integral(middle, shape) < target ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

std::vector<double> karras_levels(const NoiseSchedule& schedule, int steps) {
  constexpr double kRho = 7;
  const double low = std::pow(schedule.level(0), 1 / kRho);
  const double high = std::pow(schedule.level(schedule.train_timesteps() - 1), 1 / kRho);
  std::vector<double> levels;
  for (int i = 0; i < steps; ++i) {
    levels.push_back(std::pow(low + (high - low) * remaining(i, steps), kRho));
  }
  return levels;
}

std::vector<double> exponential_levels(const NoiseSchedule& schedule, int steps) {
  const double low = std::log(schedule.level(0));
  const double high = std::log(schedule.level(schedule.train_timesteps() - 1));
  std::vector<double> levels;
  for (int i = 0; i < steps; ++i) {
    levels.push_back(std::exp(low + (high - low) * remaining(i, steps)));
  }
  return levels;
}

std::vector<double> beta_levels(const NoiseSchedule& schedule, int steps) {
  constexpr double kShape = 0.6;
  const double low = schedule.level(0);
  const double high = schedule.level(schedule.train_timesteps() - 1);
  std::vector<double> levels;
  for (int i = 0; i < steps; ++i) {
    levels.push_back(low + (high - low) * symmetric_beta_quantile(remaining(i, steps), kShape));
  }
  return levels;
}

std::vector<double> align_your_steps_levels(int steps) {
  // The table ends where the tenth step does; the picture is taken at 0 instead.
  constexpr std::array<double, 11> kTable = {14.615, 6.475, 3.861, 2.697, 1.886, 1.396,
                                             0.963,  0.652, 0.399, 0.152, 0.029};
  std::vector<double> levels;
  for (int i = 0; i < steps; ++i) {
    const double place = static_cast<double>(i) * (kTable.size() - 1) / steps;
    const auto before = static_cast<std::size_t>(place);
    const double share = place - static_cast<double>(before);
    levels.push_back(
        std::exp(std::log(kTable[before]) * (1 - share) + std::log(kTable[before + 1]) * share));
  }
  return levels;
}

}  // namespace sdx
