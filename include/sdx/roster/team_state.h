#pragma once

#include <optional>
#include <string>

#include "sdx/roster/team_run.h"

namespace sdx {

/// How far a member is, by what lies in the team's folder.
struct MemberState {
  std::string name;
  bool is_locked = false;                ///< a process works on it now
  std::optional<std::string> why_train;  ///< nothing: the word is there
  std::optional<int> steps;              ///< of a training that is under way or was broken off
  int pictures = 0;                      ///< that are there, of those wanted
  int pictures_wanted = 0;
  std::optional<Failure> failure;  ///< of the last try

  bool is_done() const { return !why_train && pictures == pictures_wanted; }
};

/// Looks, and changes nothing.
MemberState state_of(const TeamPlan& plan, const TeamMember& member, const Bundle& bundle);

}  // namespace sdx
