#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/gpu_team.h"
#include "cli/roster/roster_reporter.h"
#include "sdx/cli/progress.h"
#include "sdx/roster/team_plan.h"
#include "sdx/util/stopwatch.h"

namespace sdx {

/// Shares a team's people out among GPUs, and shows as one run what their processes do.
///
/// Who does whom is settled by the locks of the people: each process takes the next one whom nobody
/// works on, and in the end whom another process has left.
class TeamShare {
 public:
  /// What a first process says once it has looked at everything: how long all would take one GPU.
  using ReadyListener = std::function<void(double usual_seconds, double most_seconds)>;

  /// @param plan, common, reporter outlive this.
  TeamShare(const TeamPlan& plan, const CommonOptions& common, RosterReporter& reporter)
      : plan_(plan), common_(common), reporter_(reporter) {}

  /// Returns when all processes have ended: with all done, or some left by those that were lost, or
  /// stopped by a signal.
  /// @throws as GpuTeam::run().
  void run(GpuTeam& team, const ReadyListener& on_ready);

  /// Whom the processes have trained.
  const std::set<std::string>& trained() const { return trained_; }
  double seconds() const { return stopwatch_.seconds(); }

 private:
  void take(const GpuTeam& team, std::size_t process, const Json& message);
  void take_member(const GpuTeam& team, std::size_t process, const Json& message);
  void show();

  const TeamPlan& plan_;
  const CommonOptions& common_;
  RosterReporter& reporter_;
  ReadyListener on_ready_;
  bool is_ready_ = false;
  std::map<std::string, std::size_t> trainers_;  ///< which process has begun with whom, last
  std::map<std::string, int> steps_;             ///< of trainings, now or done
  std::map<std::size_t, std::string> at_work_;   ///< of processes: "<Ada> 40/400"
  std::set<std::string> trained_;
  std::optional<ProgressBar> bar_;
  Stopwatch stopwatch_;
};

/// How many processes can do something at once for what is not done yet of a team.
std::size_t count_useful_processes(const TeamPlan& plan, const Bundle& bundle);

}  // namespace sdx
