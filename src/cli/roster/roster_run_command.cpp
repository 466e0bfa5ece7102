#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "cli/gpu_options.h"
#include "cli/gpu_team.h"
#include "cli/roster/roster_actions.h"
#include "cli/roster/roster_checks.h"
#include "cli/roster/roster_reporter.h"
#include "cli/roster/team_command_line.h"
#include "cli/roster/team_part.h"
#include "cli/roster/team_share.h"
#include "sdx/cli/tool.h"
#include "sdx/device/gpus.h"
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

void say_estimate(const TeamPlan& plan, double usual_seconds, double most_seconds) {
  if (plan.members.empty()) return;
  say(count_in_words(plan.members.size(), "person", "people") + ", " +
      count_in_words(count_images(plan), "picture", "pictures") + ": about " +
      duration_text(std::ceil(usual_seconds)) + ", at most " +
      duration_text(std::ceil(most_seconds)) + " if nothing of it is there yet");
}

[[noreturn]] void throw_stopped(const std::string& folder) {
  throw Error(static_cast<ExitCode>(128 + stop_signal()),
              "stopped; run the same command again, or sdx-roster retry " + folder + ", to resume");
}

/// What the process ends with when not all is done.
void throw_if_unfinished(const TeamOutcome& outcome, const CheckedTeam& team,
                         const TeamOptions& options) {
  if (outcome.was_stopped) throw_stopped(options.out);
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

/// What a team's run is asked for.
struct Asked {
  TeamOptions team;
  CommonOptions common;
  GpuOptions gpus;
  bool is_asked_now = true;  ///< false: as the team's folder says; then what it holds stays
};

CheckedTeam plan_and_check(const Asked& asked, const Bundle& bundle) {
  const CheckedTeam team =
      plan_team(asked.team, asked.common, bundle, *bundle.load_tokenizer(), version_text());
  check_problems(team, asked.team, asked.common);
  prepare_output_folder(team.plan.folder.root);
  check_disk_space(team.plan, bundle.info());
  return team;
}

LoadedModel load_model(const TeamPlan& plan, const Bundle& bundle, const ComputeTarget& target) {
  return {bundle, target, plan.members.front().training.subject.face_network};
}

void write_asked(const Asked& asked, const TeamPlan& plan) {
  if (!plan.is_part && asked.is_asked_now) {
    write_team_options(asked.team, asked.common, asked.team.out);
  }
}

/// The arguments of a process that does a part of this on a GPU of its own.
std::vector<std::string> make_part_arguments(const Asked& asked, std::size_t processes) {
  std::vector<std::string> arguments =
      to_arguments(asked.team, make_part_options(asked.common, processes));
  arguments.insert(arguments.begin(), "run");
  if (!asked.team.only.empty()) arguments.push_back("--only=" + asked.team.only);
  return arguments;
}

/// Has processes on several GPUs do what each can do alone, and leaves the rest to this process, on
/// the first GPU that worked.
/// @param common where this process computes, which may change
/// @return what is to be said at the end of the processes that were lost
/// @throws Error with 128 + signal if it was stopped.
std::vector<std::string> share(const Asked& asked, const std::vector<int>& gpus, TeamPlan& plan,
                               RosterReporter& reporter, CommonOptions& common) {
  say("Sharing the work among " + std::to_string(gpus.size()) + " GPUs");
  GpuTeam team("sdx-roster", gpus, make_part_arguments(asked, gpus.size()), common);
  TeamShare sharing(plan, common, reporter);
  sharing.run(team, [&](double usual_seconds, double most_seconds) {
    write_asked(asked, plan);
    const auto processes = static_cast<double>(gpus.size());
    say_estimate(plan, usual_seconds / processes, most_seconds / processes);
  });
  if (stop_signal() != 0) throw_stopped(asked.team.out);
  plan.trained_in_parts = sharing.trained();
  plan.seconds_in_parts = sharing.seconds();
  if (const auto gpu = team.find_working_gpu()) common.device = name_gpu(*gpu);
  return team.losses();
}

/// What a process does that was started by share().
void run_part(const Asked& asked) {
  begin_part(asked.gpus);
  const ComputeTarget target = compute_target(asked.common);
  const Bundle bundle = Bundle::find(asked.common.model);
  const CheckedTeam team =
      plan_team(asked.team, asked.common, bundle, *bundle.load_tokenizer(), version_text());
  const LoadedModel model = load_model(team.plan, bundle, target);
  check_images(team.plan, model);
  do_part(team.plan, model);
}

void run(const Asked& asked) {
  if (asked.gpus.part_of != 0) return run_part(asked);
  CommonOptions common = asked.common;
  std::vector<int> gpus = share_among(asked.gpus, common);
  // Opening a GPU takes memory on it, which its own process is to have.
  std::optional<ComputeTarget> target;
  if (gpus.size() < 2) target = compute_target(common);
  const Bundle bundle = open_model(common);
  CheckedTeam team = plan_and_check(asked, bundle);
  RosterReporter reporter(team.plan, common);
  if (gpus.size() > 1) {
    gpus.resize(std::min(gpus.size(), count_useful_processes(team.plan, bundle)));
  }
  const bool is_shared = gpus.size() > 1;
  std::vector<std::string> losses;
  if (is_shared) losses = share(asked, gpus, team.plan, reporter, common);

  if (!target) target = compute_target(common);
  const LoadedModel model = load_model(team.plan, bundle, *target);
  check_images(team.plan, model);
  write_asked(asked, team.plan);
  if (!is_shared) {
    const TeamEstimate estimate = estimate_team(team.plan, model);
    say_estimate(team.plan, estimate.usual_seconds(), estimate.most_seconds());
  }
  const TeamOutcome outcome = run_team(team.plan, model, reporter);
  reporter.finish(outcome);
  for (const std::string& loss : losses) spdlog::warn("{}", loss);
  throw_if_unfinished(outcome, team, asked.team);
  if (!common.json && !team.plan.is_part) {
    std::puts((team.plan.folder.root / "index.html").c_str());
  }
}

}  // namespace

std::function<void()> define_roster_run(CommandLine& line) {
  auto asked = std::make_shared<Asked>();
  add_team_options(line, asked->team, asked->common);
  add_gpu_options(line, asked->gpus);
  return [asked] {
    check_team_options(asked->team);
    run(*asked);
  };
}

std::function<void()> define_roster_retry(CommandLine& line) {
  struct Retry {
    std::string folder;
    bool keep_going = false;
    std::string device;
    int threads = 0;
    CommonOptions messages;
    GpuOptions gpus;
  };
  static const SettingsTable<Retry> kTable = [] {
    SettingsTable<Retry> table;
    table.group("Input");
    table.add("team", &Retry::folder, "Folder of the team")
        .names(SettingValue::kFolder)
        .positional()
        .required()
        .common();
    table
        .add("keep-going", &Retry::keep_going,
             "Skip people who cannot be trained, instead of not starting")
        .common();
    table.group("Model and device");
    table.add("device", &Retry::device, "Use this device instead of that of the team's run")
        .common();
    table
        .add("threads", &Retry::threads,
             "Use this number of threads instead of that of the team's run")
        .at_least(0)
        .common();
    return table;
  }();
  auto retry = std::make_shared<Retry>();
  line.add(kTable, *retry);
  add_gpu_options(line, retry->gpus);
  add_message_options(line, retry->messages);
  return [retry] {
    Asked asked;
    asked.common = retry->messages;
    asked.gpus = retry->gpus;
    asked.is_asked_now = false;
    read_team_options(retry->folder, asked.team, asked.common);
    asked.team.keep_going = asked.team.keep_going || retry->keep_going;
    if (!retry->device.empty()) asked.common.device = retry->device;
    if (retry->threads > 0) asked.common.threads = retry->threads;
    run(asked);
  };
}

}  // namespace sdx
