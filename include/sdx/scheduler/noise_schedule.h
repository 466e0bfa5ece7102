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
  kEdm,       ///< −v: what a network says inside of the preconditioning of Karras et al. 2022
};

enum class BetaSchedule {
  kLinear,        ///< β grows linearly
  kScaledLinear,  ///< √β grows linearly (latent diffusion)
  kEdm,           ///< no β: the logarithm of the noise level grows linearly, see EdmLevels
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
    EnumText{PredictionType::kSample, "sample"}, EnumText{PredictionType::kEdm, "edm"}};

template <>
inline constexpr std::array kEnumTexts<BetaSchedule> = {
    EnumText{BetaSchedule::kLinear, "linear"},
    EnumText{BetaSchedule::kScaledLinear, "scaled_linear"}, EnumText{BetaSchedule::kEdm, "edm"}};

template <>
inline constexpr std::array kEnumTexts<TimestepSpacing> = {
    EnumText{TimestepSpacing::kLeading, "leading"},
    EnumText{TimestepSpacing::kTrailing, "trailing"},
    EnumText{TimestepSpacing::kLinspace, "linspace"}};

/// The noise levels of a model that was trained on levels in place of timesteps: Playground 2.5 and
/// CosXL. Latents here have unit deviation, so a level σ of the training is σ / data here; then the
/// preconditioning of the training is just our sample alpha·x₀ + sigma·ε, and what the network says
/// is −v or v. Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based
/// Generative Models", table 1.
struct EdmLevels {
  double lowest = 0.002;  ///< σ of the training
  double highest = 80;
  double data = 1;  ///< σ_data, the deviation of the training's latents

  bool operator==(const EdmLevels&) const = default;
};

/// The forward process that a model was trained with.
struct NoiseScheduleConfig {
  BetaSchedule beta_schedule = BetaSchedule::kScaledLinear;
  double beta_start = 0.00085;
  double beta_end = 0.012;
  EdmLevels edm;  ///< of BetaSchedule::kEdm, which has no β
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
  /// @throws DataError if a β is outside (0, 1), levels of EDM are not positive and growing, or
  ///         there is no timestep (with levels: are no two); also if the terminal SNR is
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
  /// What the network is told at a timestep: the timestep itself. With BetaSchedule::kEdm timesteps
  /// only number the levels, and it is told ln(σ)/4 of the training's σ. Linear in the timestep.
  double network_time(double timestep) const;
  /// The timestep of a noise level: linear in its logarithm between two timesteps, cut off at the
  /// first and the last. Source: k-diffusion's DiscreteSchedule.sigma_to_t without quantization.
  double timestep_of_level(double level) const;

 private:
  NoiseScheduleConfig config_;
  std::vector<double> alphas_cumprod_;
  std::vector<double> levels_;
};

}  // namespace sdx
