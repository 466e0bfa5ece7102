#pragma once

#include <string>
#include <vector>

#include "cli/bench_phases.h"
#include "sdx/device/device.h"

namespace sdx {

/// What sdx-bench was told.
struct BenchOptions {
  std::string model;
  std::string device = "auto";
  std::string dtype = "auto";
  int threads = 0;  ///< 0: one for each core
  int size_px = 0;  ///< 0: the model's native size
  int steps = 20;   ///< of a whole picture
  int repeats = 3;  ///< that count; one more comes before them
  std::vector<BenchPhase> phases;
  bool serve = false;
  bool quiet = false;
  std::string json_file;
};

/// @throws UsageError, also for a phase or dtype that there is none of; TextAnswer.
BenchOptions parse_bench_options(int argc, const char* const* argv);

/// The options as the command line of a process that serves one phase.
std::vector<std::string> arguments_for(BenchPhase phase, const BenchOptions& options);

/// Where and in what type to compute.
/// @throws as choose_target.
ComputeTarget target_of(const BenchOptions& options);

}  // namespace sdx
