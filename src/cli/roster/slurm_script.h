#pragma once

#include <string>
#include <vector>

namespace sdx {

/// What a task of the job array asks the cluster for.
struct SlurmOptions {
  std::string partition;         ///< empty: the cluster's default
  std::string time = "2:00:00";  ///< limit of one start, as sbatch takes it
  int gpus = 1;                  ///< for each task; 0: none
  int cpus = 4;
  std::string memory = "16G";
  int parallel = 0;  ///< tasks at once; 0: as many as the cluster gives
};

/// What the job does.
struct SlurmJob {
  std::string name;
  std::string folder;              ///< absolute: where the job was asked for, paths begin there
  std::string team;                ///< folder of the team
  std::string models;              ///< folder in which --model's name is found; empty: a path
  std::vector<std::string> tasks;  ///< for --only, one each
  std::vector<std::string> run;    ///< program and arguments of `sdx-roster run`, without --only
};

/// @throws UsageError for a value that sbatch could not read, or that would be more than a value.
void check_slurm_options(const SlurmOptions& options);

/// The script that submits the job, and that is the job: the settings of this team, and then
/// slurm/job.sh from the data folder, which is the same for every team.
std::string slurm_script(const SlurmOptions& options, const SlurmJob& job);

}  // namespace sdx
