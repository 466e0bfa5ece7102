#pragma once

#include <string>
#include <vector>

#include "sdx/roster/roster.h"
#include "sdx/roster/team_options.h"
#include "sdx/roster/team_run.h"

namespace sdx {

/// A roster after every check that can be made before the work.
struct CheckedTeam {
  TeamPlan plan;                        ///< of who can be trained
  std::vector<RosterProblem> problems;  ///< of who cannot
  std::vector<std::string> remarks;     ///< on the prompts, see list_prompt_remarks()
};

/// Reads roster, prompts and settings, and looks at every folder and name.
/// @param version of the program, for metadata
/// @throws UsageError for what is wrong with the prompts or the settings; as read_roster and
///         find_prompts.
CheckedTeam plan_team(const TeamOptions& options, const ModelOptions& model, const Bundle& bundle,
                      const Tokenizer& tokenizer, const std::string& version);

/// Looks at sizes, samplers and texts of all images.
/// @throws as Generator::check.
void check_images(const TeamPlan& plan, const LoadedModel& model);

}  // namespace sdx
