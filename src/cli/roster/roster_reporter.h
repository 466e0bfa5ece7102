#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/train/train_reporter.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/roster/roster.h"
#include "sdx/roster/team_run.h"

namespace sdx {

/// Shows the person at the terminal, and machines (--json), what a team's run does. Two bars: one
/// of people, one of the steps of who is at work.
class RosterReporter : public TeamObserver {
 public:
  RosterReporter(const TeamPlan& plan, const CommonOptions& common);

  /// The table of everybody.
  void finish(const TeamOutcome& outcome);

  /// A line for a person who is done, or failed, here or in another process; once for each who is
  /// done.
  void show_member(const std::string& name, const std::string& line, bool has_failed);

  /// Whom a line has said to be done.
  int count_done() const;

  void on_portraits(const std::string& name, const SubjectPortraits& subject) override;
  void on_note(const std::string& name, const std::string& sentence) override;
  void on_start(const std::string& name, int done, int most) override;
  void on_step(const std::string& name, const StepResult& result, int done, int most) override;
  void on_measurement(const std::string& name, const Measurement& one) override;
  void on_milestone(const std::string& name, const Milestone& one,
                    const std::vector<Image>& images) override;
  bool stop_requested() override;
  void on_training(const std::string& name, const std::string& why) override;
  void on_image_step(int done, int total) override;
  void on_image(const std::filesystem::path& file) override;
  void on_member(const MemberOutcome& outcome) override;

 private:
  std::string names_at_work() const;
  void show(const std::string& what, int total);

  const TeamPlan& plan_;
  const CommonOptions& common_;
  std::map<std::string, bool> shown_people_;  ///< by name: whether they are done
  int images_ = 0;
  std::vector<std::string> at_work_;
  std::map<std::string, int> steps_;  ///< of who is at work
  int evaluations_ = 0;               ///< that are still to come for who is at work
  std::map<std::string, TrainingFigures> figures_;
  std::optional<ProgressBar> bar_;
  std::string shown_;  ///< what the bar is of
};

/// What came of a person: "<Ada>: 120 steps in 35 s, likeness 0.71; 8 of 8 pictures".
std::string describe_outcome(const MemberOutcome& outcome);

/// What a person should know of portraits: who is not used, who shows someone else.
std::vector<std::string> list_portrait_notes(const SubjectPortraits& subject);

/// A line for each row that cannot be used.
void show_problems(const std::vector<RosterProblem>& problems, const CommonOptions& common);

}  // namespace sdx
