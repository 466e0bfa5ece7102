#include <cstdio>
#include <filesystem>

#include "cli/roster_actions.h"
#include "cli/roster_checks.h"
#include "cli/roster_options.h"
#include "cli/roster_plan.h"
#include "cli/slurm_script.h"
#include "sdx/cli/tool.h"
#include "sdx/device/device.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

void add_slurm_options(OptionTable& table, SlurmOptions& options) {
  // They are the job's, not the team's: no configuration of `run` holds them.
  const auto add = [&](const char* name, auto& value, const char* help) {
    return table.add("Cluster", name, value, help)->configurable(false);
  };
  add("--partition", options.partition, "As sinfo shows them; default: the cluster's own");
  add("--time", options.time, "Limit of one start; who needs more goes on in the next one");
  add("--gpus", options.gpus, "For each task; 0: none, the CPU then")->check(CLI::Range(0, 64));
  add("--cpus", options.cpus, "For each task")->check(CLI::PositiveNumber);
  add("--memory", options.memory, "For each task");
  add("--parallel", options.parallel, "Tasks at once; 0: as many as the cluster gives")
      ->check(CLI::NonNegativeNumber);
}

/// What `sdx-roster run` must be told: what differs from its defaults.
std::vector<std::string> arguments_of_run(Json settings, const RosterOptions& options,
                                          const CommonOptions& common, const SlurmOptions& slurm) {
  RosterOptions ignored;
  CommonOptions ignored_too;
  const char* const nothing_said[] = {"sdx-roster run", options.roster.c_str()};
  const Json defaults = parse_roster_options(2, nothing_said, ignored, ignored_too);
  for (const auto& [key, value] : defaults.items()) {
    if (key != "roster" && settings[key] == value) settings.erase(key);
  }
  // Not left to what each node would choose.
  settings["out"] = options.out;
  settings["model"] = common.model;
  if (common.device == "auto") settings["device"] = slurm.gpus > 0 ? kGpu : kProcessor;
  if (common.threads == 0) settings["threads"] = slurm.cpus;
  return arguments_of(settings);
}

/// People by as many as are trained together. A name with a comma would be taken for two.
std::vector<std::string> tasks_of(const TeamPlan& plan) {
  std::vector<std::string> tasks;
  std::vector<std::string> together;
  const auto end_task = [&] {
    if (!together.empty()) tasks.push_back(join(together, ","));
    together.clear();
  };
  for (const TeamMember& member : plan.members) {
    const std::string& name = member.training.inversion.name;
    if (name.find(',') != std::string::npos) {
      tasks.push_back(name);
      continue;
    }
    together.push_back(name);
    if (together.size() == static_cast<std::size_t>(plan.together)) end_task();
  }
  end_task();
  return tasks;
}

}  // namespace

void roster_slurm_action(int argc, char** argv) {
  RosterOptions options;
  CommonOptions common;
  SlurmOptions slurm;
  OptionTable table("sdx-roster slurm",
                    "Write the job script with which a Slurm cluster does what run would do.",
                    "  sdx-roster slurm team.csv --prompts statcrew --out team > job.sh\n"
                    "  bash job.sh\n");
  add_slurm_options(table, slurm);
  const Json settings = parse_roster_options(table, argc, argv, options, common);
  check_slurm_options(slurm);
  if (!options.only.empty()) {
    throw UsageError("--only: a job is for everybody; bash job.sh --array=0,3 submits some tasks");
  }

  CommonOptions messages = common;
  messages.json = false;  // stdout is the script's
  const Bundle bundle = Bundle::find(common.model);
  const CheckedTeam team = check_team(options, common, bundle, *bundle.load_tokenizer());
  check_problems(team, options, messages);
  prepare_output_folder(team.plan.folder.root);
  check_disk_space(team.plan, bundle.info());
  write_roster_settings(settings, options.out);

  SlurmJob job;
  job.name = "sdx-" + slug(team.plan.title);
  job.folder = fs::current_path();
  job.team = options.out;
  const bool is_path = fs::exists(fs::path(common.model) / "bundle.json");
  if (!is_path) job.models = fs::absolute(bundle.folder()).parent_path();
  job.tasks = tasks_of(team.plan);
  job.run = arguments_of_run(settings, options, common, slurm);
  job.run.insert(job.run.begin(), {fs::read_symlink("/proc/self/exe"), "run"});
  std::fputs(slurm_script(slurm, job).c_str(), stdout);
  say(count_of(job.tasks.size(), "task", "tasks") + " for " +
      count_of(team.plan.members.size(), "person", "people") +
      ", and one for the gallery; bash with the script's name submits them");
}

}  // namespace sdx
