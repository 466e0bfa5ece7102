#pragma once

#include <optional>
#include <string>

#include "sdx/scheduler/noise_schedule.h"

namespace sdx {

struct ImportOptions;
struct ModelCheckpoint;

/// What a person says of a noise schedule that a checkpoint does not state.
struct ScheduleChoice {
  std::optional<PredictionType> prediction;
  bool zero_terminal_snr = false;
  std::optional<TimestepSpacing> spacing;
  std::optional<BetaSchedule> betas;
};

/// Reads words with commas between them, in any order: what the UNet predicts (epsilon,
/// v_prediction, sample), ztsnr (the noisiest timestep is noise alone), how samplers space their
/// timesteps (trailing, leading, linspace), how β grows (scaled_linear, linear). "auto" is none of
/// them. A hyphen serves for an underscore.
/// @throws SettingError of `schedule` for another word, and for two that say the same thing
///         differently.
ScheduleChoice parse_schedule_choice(const std::string& text);

/// As it is typed, "auto" if nothing is said.
std::string to_text(const ScheduleChoice& choice);

/// What the UNet predicts by `prediction` or `schedule`.
/// @throws UsageError if they contradict each other.
std::optional<PredictionType> merge_prediction(const ImportOptions& options);

/// Puts what was said into the place of what the checkpoint says.
/// @throws UsageError for what the model cannot have: zero terminal SNR of a model of the noise,
///         anything of a model that was trained on levels (EDM), which says all of it itself.
void apply_schedule(const ImportOptions& options, ModelCheckpoint& checkpoint);

}  // namespace sdx
