#include "cli/bench/bench_options.h"

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

std::string all_names() {
  std::vector<std::string> names;
  for (const BenchPhaseInfo& info : all_bench_phases()) names.emplace_back(info.name);
  return join(names, ",");
}

}  // namespace

BenchOptions::BenchOptions() : phase_names(all_names()) {}

const SettingsTable<BenchOptions>& bench_settings() {
  static const SettingsTable<BenchOptions> kTable = [] {
    SettingsTable<BenchOptions> table;
    table.group("Measurements");
    table.add("phases", &BenchOptions::phase_names,
              "Parts to measure, each in a process of its own");
    table.add("size", &BenchOptions::size_px, "Side of the square pictures; 0: the model's own")
        .at_least(0);
    table.add("steps", &BenchOptions::steps, "Number of steps of a whole picture").at_least(1);
    table
        .add("repeats", &BenchOptions::repeats,
             "Number of measurements after a warm-up; the median counts")
        .at_least(1);
    table.add("json", &BenchOptions::json_file, "Also write all numbers to this file");
    table.add("serve", &BenchOptions::serve,
              "Measure one phase once for each line of stdin, and answer each with JSON");
    table.group("Messages");
    table.add("quiet", &BenchOptions::quiet, "Do not say what is being measured").letter('q');
    return table;
  }();
  return kTable;
}

void check_bench_options(BenchOptions& options) {
  options.phases = parse_bench_phases(options.phase_names);
  read_target(options);
  if (options.serve && options.phases.size() != 1) {
    throw UsageError("--serve: expected one phase, for example --serve --phases unet");
  }
}

std::vector<std::string> arguments_for(BenchPhase phase, const BenchOptions& options) {
  return {"--serve",
          "--phases=" + std::string(describe_phase(phase).name),
          "--model=" + options.model,
          "--device=" + options.device,
          "--dtype=" + options.dtype,
          "--threads=" + std::to_string(options.threads),
          "--size=" + std::to_string(options.size_px),
          "--steps=" + std::to_string(options.steps)};
}

ComputeTarget read_target(const BenchOptions& options) {
  return choose_target(options.device, options.dtype);
}

}  // namespace sdx
