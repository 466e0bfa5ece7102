#pragma once

#include <cstddef>

#include "sdx/roster/team_run.h"
#include "sdx/training/loaded_model.h"

namespace sdx {

/// How long a team will take if nothing of it is there yet.
struct TeamEstimate {
  double training_seconds = 0;  ///< if everybody takes all steps
  double drawing_seconds = 0;

  /// Trainings mostly settle after a third of their most steps.
  double usual_seconds() const { return training_seconds / 3 + drawing_seconds; }
  double most_seconds() const { return training_seconds + drawing_seconds; }
};

/// Measures a pass of the UNet, and multiplies by the passes that the plan needs. A step with its
/// gradient takes about three passes. Takes three passes of a training's batch.
TeamEstimate estimate_team(const TeamPlan& plan, const LoadedModel& model);

/// Images that the plan asks for.
std::size_t count_images(const TeamPlan& plan);

}  // namespace sdx
