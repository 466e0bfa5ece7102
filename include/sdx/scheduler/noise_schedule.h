#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// What the UNet's output means.
enum class PredictionType {
  kEpsilon,   ///< the noise ε
  kVelocity,  ///< v = α·ε − σ·x₀ (Salimans & Ho 2022)
};

enum class BetaSchedule {
  kLinear,        ///< β grows linearly
  kScaledLinear,  ///< √β grows linearly (latent diffusion)
};

std::string_view to_string(PredictionType type);
std::string_view to_string(BetaSchedule schedule);
/// @throws DataError for a word that is none of them.
PredictionType parse_prediction_type(std::string_view text);
BetaSchedule parse_beta_schedule(std::string_view text);

/// The forward process that a model was trained with.
struct NoiseScheduleConfig {
  BetaSchedule beta_schedule = BetaSchedule::kScaledLinear;
  double beta_start = 0.00085;
  double beta_end = 0.012;
  int train_timesteps = 1000;
  PredictionType prediction_type = PredictionType::kEpsilon;
  int steps_offset = 1;  ///< added to every timestep when sampling; 1 in Stable Diffusion 1 and 2
};

/// x_t = α_t·x₀ + σ_t·ε with α_t² + σ_t² = 1, for the timesteps 0 … train_timesteps − 1.
class NoiseSchedule {
 public:
  /// @throws DataError if a β is outside (0, 1) or there is no timestep.
  explicit NoiseSchedule(const NoiseScheduleConfig& config);

  const NoiseScheduleConfig& config() const { return config_; }
  int train_timesteps() const { return config_.train_timesteps; }
  double alpha(int timestep) const;
  double sigma(int timestep) const;

 private:
  NoiseScheduleConfig config_;
  std::vector<double> alphas_cumprod_;
};

}  // namespace sdx
