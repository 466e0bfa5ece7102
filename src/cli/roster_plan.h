#pragma once

#include <vector>

#include "cli/roster_options.h"
#include "sdx/roster/roster.h"
#include "sdx/roster/team_run.h"

namespace sdx {

/// A roster after every check that can be made before the work.
struct CheckedTeam {
  TeamPlan plan;                        ///< of who can be trained
  std::vector<RosterProblem> problems;  ///< of who cannot
};

/// Reads roster, prompts and settings, and looks at every folder and name.
/// @throws UsageError for what is wrong with the prompts or the options; as read_roster and
///         find_prompts.
CheckedTeam check_team(const RosterOptions& options, const CommonOptions& common,
                       const Bundle& bundle, const Tokenizer& tokenizer);

/// All pictures, once their sizes, samplers and texts have been looked at.
/// @throws as Generator::check.
void check_pictures(const TeamPlan& plan, const LoadedModel& model);

}  // namespace sdx
