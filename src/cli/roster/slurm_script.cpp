#include "cli/roster/slurm_script.h"

#include <string_view>

#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::string_view kDigits = "0123456789";

/// A training ends within 30 s of a signal; pictures end sooner.
constexpr int kSecondsBeforeTheLimit = 60;

void check_characters(const std::string& option, const std::string& value,
                      const std::string& allowed, const std::string& expected) {
  if (!value.empty() && value.find_first_not_of(allowed) == std::string::npos) return;
  throw UsageError(option + ": expected " + expected + ", found \"" + value + "\"");
}

std::string directives(const SlurmOptions& options, const SlurmJob& job) {
  std::string array = "0-" + std::to_string(job.tasks.size() - 1);
  if (options.parallel > 0) array += "%" + std::to_string(options.parallel);
  std::vector<std::string> directives = {"job-name=" + job.name, "array=" + array, "nodes=1"};
  if (!options.partition.empty()) directives.push_back("partition=" + options.partition);
  if (options.gpus > 0) directives.push_back("gres=gpu:" + std::to_string(options.gpus));
  directives.push_back("cpus-per-task=" + std::to_string(options.cpus));
  directives.push_back("mem=" + options.memory);
  directives.push_back("time=" + options.time);
  directives.push_back("signal=B:USR1@" + std::to_string(kSecondsBeforeTheLimit));
  directives.emplace_back("requeue");
  directives.emplace_back("open-mode=append");
  std::string lines;
  for (const std::string& one : directives) lines += "#SBATCH --" + one + "\n";
  return lines;
}

std::string write_array(const std::string& name, const std::vector<std::string>& words) {
  std::string text = name + "=(\n";
  for (const std::string& word : words) text += "  " + shell_quoted(word) + "\n";
  return text + ")\n";
}

}  // namespace

void check_slurm_options(const SlurmOptions& options) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string digits(kDigits);
  if (!options.partition.empty()) {
    check_characters("--partition", options.partition, letters + digits + "_-.,",
                     "names of partitions, as sinfo shows them");
  }
  check_characters("--time", options.time, digits + ":-",
                   "minutes, hours:minutes:seconds or days-hours");
  check_characters("--memory", options.memory, digits + "KMGT", "a size like 16G");
}

std::string slurm_script(const SlurmOptions& options, const SlurmJob& job) {
  std::string script = "#!/usr/bin/env bash\n" + directives(options, job) +
                       "# Made by sdx-roster slurm: bash FILE submits it.\n\n";
  if (!job.models.empty()) script += "export SDX_MODELS=" + shell_quoted(job.models) + "\n";
  script += "folder=" + shell_quoted(job.folder) + "\n";
  script += "team=" + shell_quoted(job.team) + "\n";
  script += write_array("tasks", job.tasks);
  script += write_array("run", job.run);
  return script + "\n" + read_file(data_folder() / "slurm" / "job.sh");
}

}  // namespace sdx
