#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/import/checkpoint.h"
#include "model/import/diffusers_config.h"

namespace sdx {

/// What single files say of a model that was trained on noise levels in place of timesteps.
struct EdmMarks {
  EdmLevels levels;
  PredictionType prediction_type = PredictionType::kEdm;
  std::vector<double> latent_mean;  ///< this and the next: see BundleInfo; empty: as other models
  std::vector<double> latent_deviation;
};

/// Playground 2.5 has `edm_mean` and `edm_std`, CosXL `edm_vpred.sigma_max` and `.sigma_min`.
/// Source of the other numbers: diffusers' conversion of Playground's file, ComfyUI's of CosXL's.
/// @return nothing for other models
/// @throws DataError for a mark of another shape, or with a value that makes no schedule.
std::optional<EdmMarks> read_edm_marks(const TensorMap& tensors, const std::string& file);

void apply_edm_marks(const EdmMarks& marks, ModelCheckpoint& checkpoint);

/// The same from the scheduler's config of diffusers' EDMEulerScheduler and
/// EDMDPMSolverMultistepScheduler.
NoiseScheduleConfig read_edm_schedule(const DiffusersConfig& config,
                                      std::vector<std::string>& remarks);

}  // namespace sdx
