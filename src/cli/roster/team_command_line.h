#pragma once

#include <string>
#include <vector>

#include "sdx/cli/common_options.h"
#include "sdx/roster/team_options.h"

namespace sdx {

/// Everything that a team is asked for, as options.
void add_team_options(CommandLine& line, TeamOptions& options, CommonOptions& common);

/// @throws UsageError without a roster.
void check_team_options(const TeamOptions& options);

/// The arguments with which `sdx-roster run` is asked for this: what differs from the defaults.
std::vector<std::string> to_arguments(const TeamOptions& options, const CommonOptions& common);

}  // namespace sdx
