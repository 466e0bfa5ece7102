#include "cli/roster/team_part.h"

#include <string>
#include <vector>

#include "cli/gpu_team.h"
#include "cli/roster/roster_reporter.h"
#include "sdx/roster/team_estimate.h"
#include "sdx/util/error.h"
#include "sdx/util/stop.h"

namespace sdx {

namespace {

class PartReporter : public TeamObserver {
 public:
  void on_portraits(const std::string& name, const SubjectPortraits& subject) override {
    for (const std::string& note : list_portrait_notes(subject)) on_note(name, note);
  }
  void on_note(const std::string& name, const std::string& sentence) override {
    // That another process has the rest is nothing that a person need know here.
    if (!name.empty()) tell_team({{"note", sentence}, {"person", name}});
  }
  void on_training(const std::string& name, const std::string& why) override {
    tell_team({{"training", why}, {"person", name}});
    at_work_ = name;
  }
  void on_step(const std::string& name, const StepResult& /*result*/, int done, int most) override {
    tell_team({{"step", done}, {"most", most}, {"person", name}});
  }
  void on_image_step(int done, int total) override {
    tell_team({{"drawing", done}, {"most", total}, {"person", at_work_}});
  }
  void on_image(const std::filesystem::path& file) override {
    tell_team({{"picture", file.string()}});
  }
  void on_member(const MemberOutcome& outcome) override {
    tell_team({{"member", outcome.name},
               {"line", describe_outcome(outcome)},
               {"failed", outcome.failure.has_value()},
               {"trained", outcome.was_trained}});
    at_work_.clear();
  }
  bool stop_requested() override { return stop_signal() != 0; }

 private:
  std::string at_work_;
};

}  // namespace

void do_part(TeamPlan plan, const LoadedModel& model) {
  plan.is_part = true;
  plan.group_images.clear();
  const TeamEstimate estimate = estimate_team(plan, model);
  tell_team({{"ready", true},
             {"usual_seconds", estimate.usual_seconds()},
             {"most_seconds", estimate.most_seconds()}});
  PartReporter reporter;
  if (run_team(plan, model, reporter).was_stopped) {
    throw Error(static_cast<ExitCode>(128 + stop_signal()), "stopped");
  }
}

}  // namespace sdx
