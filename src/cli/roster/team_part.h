#pragma once

#include "sdx/roster/team_plan.h"
#include "sdx/training/loaded_model.h"

namespace sdx {

/// Does a part of a team's run, beside other processes, and tells the process that shares it out
/// (TeamShare) what happens: one object a line on stdout, of which each has one of these keys.
///
///     ready      all was well with what was asked for; usual_seconds, most_seconds of everything
///     note       a sentence; person, or "" if it concerns nobody in particular
///     training   why somebody is trained; person
///     step       done in a training, of `most`; person
///     drawing    steps of the sampler that are done, of `most`; of whom
///     picture    a file within the team's folder
///     member     who is done or has failed; line, failed
///
/// @param plan of everybody
/// @throws Error with 128 + signal if it was asked to stop.
void do_part(TeamPlan plan, const LoadedModel& model);

}  // namespace sdx
