#include <cstdio>
#include <filesystem>

#include "cli/roster/roster_actions.h"
#include "cli/roster/roster_checks.h"
#include "cli/roster/slurm_script.h"
#include "cli/roster/team_command_line.h"
#include "sdx/cli/tool.h"
#include "sdx/device/device.h"
#include "sdx/roster/team_plan.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// They are the job's, not the team's: no configuration of `run` holds them.
const SettingsTable<SlurmOptions>& slurm_settings() {
  static const SettingsTable<SlurmOptions> kTable = [] {
    SettingsTable<SlurmOptions> table;
    table.group("Cluster");
    table
        .add("partition", &SlurmOptions::partition,
             "Partitions as sinfo shows them; default: the cluster's own")
        .of_one_call();
    table
        .add("time", &SlurmOptions::time,
             "Time limit of one start; longer work continues in the next start")
        .of_one_call();
    table.add("gpus", &SlurmOptions::gpus, "GPUs for each task; 0: none, the CPU then")
        .within(0, 64)
        .of_one_call();
    table.add("cpus", &SlurmOptions::cpus, "CPUs for each task").at_least(1).of_one_call();
    table.add("memory", &SlurmOptions::memory, "Memory for each task").of_one_call();
    table.add("parallel", &SlurmOptions::parallel, "Tasks at once; 0: as many as the cluster gives")
        .at_least(0)
        .of_one_call();
    return table;
  }();
  return kTable;
}

/// People by as many as are trained together. A name with a comma would be taken for two.
std::vector<std::string> list_tasks(const TeamPlan& plan) {
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

namespace {

void write_job(const TeamOptions& options, const CommonOptions& common, const SlurmOptions& slurm) {
  check_team_options(options);
  check_slurm_options(slurm);
  if (!options.only.empty()) {
    throw UsageError("--only: a job is for everybody; bash job.sh --array=0,3 submits some tasks");
  }

  CommonOptions messages = common;
  messages.json = false;  // stdout is the script's
  const Bundle bundle = Bundle::find(common.model);
  const CheckedTeam team =
      plan_team(options, common, bundle, *bundle.load_tokenizer(), version_text());
  check_problems(team, options, messages);
  prepare_output_folder(team.plan.folder.root);
  check_disk_space(team.plan, bundle.info());
  write_team_options(options, common, options.out);

  // Not left to what each node would choose.
  CommonOptions on_node = common;
  if (on_node.device == "auto") on_node.device = slurm.gpus > 0 ? kGpu : kProcessor;
  if (on_node.threads == 0) on_node.threads = slurm.cpus;

  SlurmJob job;
  job.name = "sdx-" + slug(team.plan.title);
  job.folder = fs::current_path();
  job.team = options.out;
  const bool is_path = fs::exists(fs::path(common.model) / "bundle.json");
  if (!is_path) job.models = fs::absolute(bundle.folder()).parent_path();
  job.tasks = list_tasks(team.plan);
  job.run = to_arguments(options, on_node);
  job.run.insert(job.run.begin(), {fs::read_symlink("/proc/self/exe"), "run"});
  std::fputs(slurm_script(slurm, job).c_str(), stdout);
  say(count_in_words(job.tasks.size(), "task", "tasks") + " for " +
      count_in_words(team.plan.members.size(), "person", "people") +
      ", and one for the gallery; bash with the script's name submits them");
}

}  // namespace

std::function<void()> define_roster_slurm(CommandLine& line) {
  struct Asked {
    TeamOptions team;
    CommonOptions common;
    SlurmOptions slurm;
  };
  auto asked = std::make_shared<Asked>();
  line.add(slurm_settings(), asked->slurm);
  add_team_options(line, asked->team, asked->common);
  return [asked] { write_job(asked->team, asked->common, asked->slurm); };
}

}  // namespace sdx
