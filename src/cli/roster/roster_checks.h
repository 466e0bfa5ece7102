#pragma once

#include "sdx/cli/common_options.h"
#include "sdx/model/bundle.h"
#include "sdx/roster/team_plan.h"

namespace sdx {

/// Says what is to be said of the prompts, and shows the rows of the roster that cannot be used.
/// @throws Error with the first problem's code, unless we are to keep going with somebody;
/// DataError
///         if nobody is left.
void check_problems(const CheckedTeam& team, const TeamOptions& options,
                    const CommonOptions& common);

/// @throws IoError if the disk of the team's folder, which must be there, cannot hold what the plan
///         may need: an upper bound, pixels as they are, and what a training leaves.
void check_disk_space(const TeamPlan& plan, const BundleInfo& info);

}  // namespace sdx
