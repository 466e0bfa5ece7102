#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/roster/roster.h"
#include "sdx/roster/team_run.h"

namespace sdx {

/// Tells the person at the terminal, and machines (--json), what a team's run does. Two bars: one
/// of people, one of the steps of who is at work.
class RosterReporter {
 public:
  RosterReporter(const TeamPlan& plan, const CommonOptions& common);

  TeamEvents events();

  /// The table of everybody.
  void finish(const TeamOutcome& outcome);

 private:
  void begins(const std::string& name, const std::string& why);
  void step(const std::string& name, int step, int most, const std::string& figures);
  void picture_step(int done, int total);
  void ends(const MemberOutcome& outcome);
  std::string names_at_work() const;
  void show(const std::string& what, int total);

  const TeamPlan& plan_;
  const CommonOptions& common_;
  int people_done_ = 0;
  int pictures_ = 0;
  std::vector<std::string> at_work_;
  std::map<std::string, int> steps_;  ///< of who is at work
  std::optional<ProgressBar> bar_;
  std::string shown_;  ///< what the bar is of
};

/// A line for each row that cannot be used.
void show_problems(const std::vector<RosterProblem>& problems, const CommonOptions& common);

}  // namespace sdx
