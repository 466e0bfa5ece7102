#pragma once

#include <vector>

#include "sdx/roster/team_run.h"

namespace sdx {

/// A member whose lock is held, and what comes of the training.
struct TeamMemberTraining {
  const TeamMember* member;
  MemberOutcome* outcome;
};

/// Trains those of `members` who must be, in one pass of the UNet, and records what came of it. Of
/// who need not be trained, the earlier result is put into the outcome.
/// @return false after a request to stop: then everything is in checkpoints.
bool train_members(const TeamPlan& plan, const LoadedModel& model,
                   const std::vector<TeamMemberTraining>& members, TeamObserver& observer);

}  // namespace sdx
