#pragma once

#include <string>
#include <vector>

#include "cli/bench/bench_phases.h"
#include "sdx/device/device.h"
#include "sdx/model/model_options.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// What sdx-bench was asked for.
struct BenchOptions : ModelOptions {
  BenchOptions();

  std::string phase_names;         ///< comma-separated
  int size_px = 0;                 ///< 0: the model's native size
  int steps = 20;                  ///< of a whole picture
  int repeats = 3;                 ///< that count; one more comes before them
  std::vector<BenchPhase> phases;  ///< of phase_names, after check_bench_options()
  bool serve = false;
  bool quiet = false;
  std::string json_file;
};

const SettingsTable<BenchOptions>& bench_settings();

/// @throws UsageError, also for a phase or dtype that there is none of.
void check_bench_options(BenchOptions& options);

/// The options as the command line of a process that serves one phase.
std::vector<std::string> arguments_for(BenchPhase phase, const BenchOptions& options);

/// Where and in what type to compute.
/// @throws as choose_target.
ComputeTarget read_target(const BenchOptions& options);

}  // namespace sdx
