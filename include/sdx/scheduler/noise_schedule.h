#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/enum_text.h"

namespace sdx {

/// The meaning of the UNet's output.
enum class PredictionType {
  kEpsilon,   ///< the noise ε
  kVelocity,  ///< v = α·ε − σ·x₀ (Salimans & Ho 2022)
  kSample,    ///< the picture x₀
};

enum class BetaSchedule {
  kLinear,        ///< β grows linearly
  kScaledLinear,  ///< √β grows linearly (latent diffusion)
};

/// Which timesteps N steps visit out of T; Lin et al. 2023, table 2.
enum class TimestepSpacing {
  kLeading,   ///< multiples of ⌊T/N⌋ from 0 on, plus the offset: never quite at the noisiest
  kTrailing,  ///< every T/N from the noisiest down: few-step models and zero terminal SNR need it
  kLinspace,  ///< evenly from the noisiest to the cleanest, both included
};

template <>
inline constexpr std::array kEnumTexts<PredictionType> = {
    EnumText{PredictionType::kEpsilon, "epsilon"},
    EnumText{PredictionType::kVelocity, "v_prediction"},
    EnumText{PredictionType::kSample, "sample"}};

template <>
inline constexpr std::array kEnumTexts<BetaSchedule> = {
    EnumText{BetaSchedule::kLinear, "linear"},
    EnumText{BetaSchedule::kScaledLinear, "scaled_linear"}};

template <>
inline constexpr std::array kEnumTexts<TimestepSpacing> = {
    EnumText{TimestepSpacing::kLeading, "leading"},
    EnumText{TimestepSpacing::kTrailing, "trailing"},
    EnumText{TimestepSpacing::kLinspace, "linspace"}};

/// The forward process that a model was trained with.
struct NoiseScheduleConfig {
  BetaSchedule beta_schedule = BetaSchedule::kScaledLinear;
  double beta_start = 0.00085;
  double beta_end = 0.012;
  int train_timesteps = 1000;
  PredictionType prediction_type = PredictionType::kEpsilon;
  int steps_offset = 1;  ///< added to every timestep when sampling; 1 in Stable Diffusion 1 and 2
  /// √ᾱ shifted and scaled so that the noisiest timestep is noise alone: the model can make
  /// pictures that are bright or dark as a whole. Lin et al. 2023, "Common Diffusion Noise
  /// Schedules and Sample Steps are Flawed", algorithm 1.
  bool zero_terminal_snr = false;
  /// How samplers space their timesteps for this model; nothing: as each sampler does by default.
  std::optional<TimestepSpacing> timestep_spacing;
};

/// x_t = α_t·x₀ + σ_t·ε with α_t² + σ_t² = 1, for the timesteps 0 … train_timesteps − 1.
class NoiseSchedule {
 public:
  /// @throws DataError if a β is outside (0, 1) or there is no timestep, or if the terminal SNR is
  ///         zero and the model predicts the noise: from noise alone that says nothing of x₀.
  explicit NoiseSchedule(const NoiseScheduleConfig& config);

  const NoiseScheduleConfig& config() const { return config_; }
  int train_timesteps() const { return config_.train_timesteps; }
  /// 0 at the last timestep with zero terminal SNR.
  double alpha(int timestep) const;
  double sigma(int timestep) const;

  /// The noise level σ/α, which Karras et al. and k-diffusion call sigma; between two timesteps on
  /// the straight line through them, as in diffusers' Euler sampler. With zero terminal SNR, 4096
  /// at the last timestep: diffusers puts ᾱ = 2⁻²⁴ in place of 0 where a sampler divides by α.
  /// @param timestep 0 … train_timesteps − 1.
  double level(double timestep) const;
  /// The timestep of a noise level: linear in its logarithm between two timesteps, cut off at the
  /// first and the last. Source: k-diffusion's DiscreteSchedule.sigma_to_t without quantization.
  double timestep_of_level(double level) const;

 private:
  NoiseScheduleConfig config_;
  std::vector<double> alphas_cumprod_;
  std::vector<double> levels_;
};

}  // namespace sdx
