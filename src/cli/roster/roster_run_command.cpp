#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "cli/roster/roster_actions.h"
#include "cli/roster/roster_checks.h"
#include "cli/roster/roster_reporter.h"
#include "cli/roster/team_command_line.h"
#include "sdx/cli/tool.h"
#include "sdx/roster/team_estimate.h"
#include "sdx/roster/team_plan.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

void say_estimate(const TeamPlan& plan, const LoadedModel& model) {
  if (plan.members.empty()) return;
  const TeamEstimate estimate = estimate_team(plan, model);
  say(count_in_words(plan.members.size(), "person", "people") + ", " +
      count_in_words(count_images(plan), "picture", "pictures") + ": about " +
      duration_text(std::ceil(estimate.usual_seconds())) + ", at most " +
      duration_text(std::ceil(estimate.most_seconds())) + " if nothing of it is there yet");
}

/// What the process ends with when not all is done.
void throw_if_unfinished(const TeamOutcome& outcome, const CheckedTeam& team,
                         const TeamOptions& options) {
  if (outcome.was_stopped) {
    throw Error(static_cast<ExitCode>(128 + stop_signal()),
                "stopped; the same command, or sdx-roster retry " + options.out + ", goes on");
  }
  std::vector<Failure> failures;
  for (const RosterProblem& problem : team.problems) {
    failures.push_back({problem.code, problem.where + ": " + problem.text});
  }
  for (const MemberOutcome& one : outcome.members) {
    if (one.failure) failures.push_back({one.failure->code, one.name + ": " + one.failure->text});
  }
  failures.insert(failures.end(), outcome.failures.begin(), outcome.failures.end());
  if (failures.empty() && outcome.is_done()) return;
  if (failures.empty()) throw TryAgainError("not all pictures are there; run it again");
  const bool may_help = std::any_of(failures.begin(), failures.end(),
                                    [](const Failure& one) { return may_pass(one.code); });
  throw Error(may_help ? ExitCode::kTryAgain : failures.front().code,
              count_in_words(failures.size(), "thing", "things") +
                  " failed, the first: " + failures.front().text +
                  (may_help ? ". sdx-roster retry " + options.out + " may help" : ""));
}

/// @param is_asked_now false: as the team's folder says; then what it holds stays as it is
void run(const TeamOptions& options, const CommonOptions& common, bool is_asked_now) {
  const ComputeTarget target = compute_target(common);
  const Bundle bundle = open_model(common);
  const CheckedTeam team =
      plan_team(options, common, bundle, *bundle.load_tokenizer(), version_text());
  check_problems(team, options, common);
  prepare_output_folder(team.plan.folder.root);
  check_disk_space(team.plan, bundle.info());

  const LoadedModel model(bundle, target, team.plan.members.front().training.subject.face_network);
  check_images(team.plan, model);
  if (!team.plan.is_part && is_asked_now) write_team_options(options, common, options.out);
  say_estimate(team.plan, model);
  RosterReporter reporter(team.plan, common);
  const TeamOutcome outcome = run_team(team.plan, model, reporter);
  reporter.finish(outcome);
  throw_if_unfinished(outcome, team, options);
  if (!common.json && !team.plan.is_part) {
    std::puts((team.plan.folder.root / "index.html").c_str());
  }
}

}  // namespace

std::function<void()> define_roster_run(CommandLine& line) {
  struct Asked {
    TeamOptions team;
    CommonOptions common;
  };
  auto asked = std::make_shared<Asked>();
  add_team_options(line, asked->team, asked->common);
  return [asked] {
    check_team_options(asked->team);
    run(asked->team, asked->common, /*is_asked_now=*/true);
  };
}

std::function<void()> define_roster_retry(CommandLine& line) {
  struct Asked {
    std::string folder;
    bool keep_going = false;
    std::string device;
    int threads = 0;
    CommonOptions messages;
  };
  static const SettingsTable<Asked> kTable = [] {
    SettingsTable<Asked> table;
    table.group("Input");
    table.add("team", &Asked::folder, "Folder of the team")
        .names(SettingValue::kFolder)
        .positional()
        .required();
    table.add("keep-going", &Asked::keep_going,
              "Leave out whoever cannot be trained, in place of not starting");
    table.group("Model and device");
    table.add("device", &Asked::device, "Another device than the team's run had");
    table.add("threads", &Asked::threads, "Another number of threads than the team's run had")
        .at_least(0);
    return table;
  }();
  auto asked = std::make_shared<Asked>();
  line.add(kTable, *asked);
  add_message_options(line, asked->messages);
  return [asked] {
    TeamOptions options;
    CommonOptions common = asked->messages;
    read_team_options(asked->folder, options, common);
    options.keep_going = options.keep_going || asked->keep_going;
    if (!asked->device.empty()) common.device = asked->device;
    if (asked->threads > 0) common.threads = asked->threads;
    run(options, common, /*is_asked_now=*/false);
  };
}

}  // namespace sdx
