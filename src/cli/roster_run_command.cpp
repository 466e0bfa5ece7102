#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include "cli/roster_actions.h"
#include "cli/roster_checks.h"
#include "cli/roster_options.h"
#include "cli/roster_plan.h"
#include "cli/roster_reporter.h"
#include "sdx/cli/tool.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/stop.h"
#include "sdx/util/stopwatch.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::size_t pictures_of(const TeamPlan& plan) {
  std::size_t pictures = plan.group_pictures.size();
  for (const TeamMember& member : plan.members) pictures += member.pictures.size();
  return pictures;
}

/// Of one picture in a batch through the UNet, without a gradient.
double seconds_per_row(const LoadedModel& model, int rows) {
  const at::NoGradGuard no_grad;
  const BundleInfo& info = model.bundle.info();
  const int side = info.native_size_px / info.vae_factor;
  const at::Tensor sample = at::zeros({rows, info.latent_channels, side, side});
  const TextEncoders& encoders = model.text_encoders;
  const ChunkIds chunks = encoders.measuring_chunks(rows);
  const Conditioning conditioning =
      encoders.join(encoders.encode(encoders.embed(chunks), chunks.ends), rows,
                    {info.native_size_px, info.native_size_px});
  const auto pass = [&] {
    const Stopwatch stopwatch;
    model.unet.forward(sample, at::zeros({rows}, at::kLong), conditioning);
    return stopwatch.seconds();
  };
  pass();  // the first one prepares
  return std::min(pass(), pass()) / rows;
}

std::string duration_text(double seconds) {
  char text[32];
  if (seconds < 90) {
    std::snprintf(text, sizeof text, "%.0f s", std::max(seconds, 1.0));
  } else if (seconds < 90 * 60) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  }
  return text;
}

/// What the whole will take at most, from a measured pass of the UNet. A step with its gradient
/// takes about three passes; trainings mostly settle after a third of their most steps.
void say_estimate(const TeamPlan& plan, const LoadedModel& model) {
  constexpr double kPassesOfAStep = 3;
  constexpr double kUsualShare = 1.0 / 3;
  constexpr double kGuidanceRows = 2;
  constexpr double kRowsOfALook = 4 * 12 * kGuidanceRows + 4 * 8 * 4;
  if (plan.members.empty()) return;
  const InversionOptions& word = plan.members.front().training.inversion;
  const TrainerOptions& trainer = plan.members.front().training.trainer;
  double rows = word.steps * (kPassesOfAStep * word.batch_size * word.accumulate +
                              static_cast<double>(fixed_batch_rows(word)) / kMeasureEverySteps);
  if (trainer.milestone_steps > 0) {
    rows += static_cast<double>(word.steps) / trainer.milestone_steps * kRowsOfALook;
  }
  double picture_rows = 0;
  const auto add = [&](const std::vector<ImageRequest>& requests) {
    for (const ImageRequest& request : requests) {
      picture_rows += kGuidanceRows * request.settings.sampler.steps;
    }
  };
  add(plan.group_pictures);
  for (const TeamMember& member : plan.members) add(member.pictures);
  const double row = seconds_per_row(model, word.batch_size);
  const double training = row * rows * static_cast<double>(plan.members.size());
  const double drawing = row * picture_rows;
  say(count_of(plan.members.size(), "person", "people") + ", " +
      count_of(pictures_of(plan), "picture", "pictures") + ": about " +
      duration_text(training * kUsualShare + drawing) + ", at most " +
      duration_text(training + drawing) + " if nothing of it is there yet");
}

/// What the process ends with when not all is done.
void throw_if_unfinished(const TeamOutcome& outcome, const CheckedTeam& team,
                         const RosterOptions& options) {
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
              count_of(failures.size(), "thing", "things") +
                  " failed, the first: " + failures.front().text +
                  (may_help ? ". sdx-roster retry " + options.out + " may help" : ""));
}

void run(const RosterOptions& options, const CommonOptions& common, const Json& settings) {
  const ComputeTarget target = compute_target(common);
  const Bundle bundle = open_model(common);
  const CheckedTeam team = check_team(options, common, bundle, *bundle.load_tokenizer());
  check_problems(team, options, common);
  prepare_output_folder(team.plan.folder.root);
  check_disk_space(team.plan, bundle.info());

  const LoadedModel model(bundle, target, team.plan.members.front().training.subject.face_network);
  check_pictures(team.plan, model);
  if (!team.plan.is_part && !settings.is_null()) write_roster_settings(settings, options.out);
  say_estimate(team.plan, model);
  RosterReporter reporter(team.plan, common);
  const TeamOutcome outcome = run_team(team.plan, model, reporter.events());
  reporter.finish(outcome);
  throw_if_unfinished(outcome, team, options);
  if (!common.json && !team.plan.is_part) {
    std::puts((team.plan.folder.root / "index.html").c_str());
  }
}

}  // namespace

void roster_run_action(int argc, char** argv) {
  RosterOptions options;
  CommonOptions common;
  const Json settings = parse_roster_options(argc, argv, options, common);
  run(options, common, settings);
}

void roster_retry_action(int argc, char** argv) {
  std::string team;
  bool keep_going = false;
  CommonOptions here;
  here.device.clear();
  OptionTable table("sdx-roster retry", "Do what is missing or failed, as the team was asked for.",
                    "  sdx-roster retry team\n");
  table.add("Input", "team", team, "Folder of the team")->required();
  table.add_flag("Input", "--keep-going", keep_going,
                 "Leave out whoever cannot be trained, in place of not starting");
  table.add("Model and device", "--device", here.device, "Another than the team's run had");
  table.add("Model and device", "--threads", here.threads, "Others than the team's run had")
      ->check(CLI::NonNegativeNumber);
  add_message_options(table, here);
  table.parse(argc, argv);

  RosterOptions options;
  CommonOptions common;
  read_roster_settings(team, options, common);
  options.keep_going = options.keep_going || keep_going;
  if (!here.device.empty()) common.device = here.device;
  if (here.threads > 0) common.threads = here.threads;
  common.json = here.json;
  common.quiet = here.quiet;
  run(options, common, nullptr);
}

}  // namespace sdx
