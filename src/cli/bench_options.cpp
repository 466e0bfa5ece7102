#include "cli/bench_options.h"

#include <cstdlib>

#include "sdx/cli/options.h"
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

BenchOptions parse_bench_options(int argc, const char* const* argv) {
  BenchOptions options;
  const char* const chosen = std::getenv("SDX_MODEL");
  options.model = chosen != nullptr ? chosen : "mini";
  std::string phases = all_names();
  OptionTable table("sdx-bench",
                    "Measure a model's parts on this machine: time, arithmetic, peak memory.",
                    "  sdx-bench\n"
                    "  sdx-bench --model sd15 --phases ceiling,unet,step --json sd15.json\n"
                    "  yes | head -3 | sdx-bench --serve --phases unet\n");
  const char* const group = "Measurements";
  table.add(group, "--phases", phases, "What is measured, each in a process of its own");
  table.add(group, "--size", options.size_px, "Side of the square pictures; 0: the model's own")
      ->check(CLI::NonNegativeNumber);
  table.add(group, "--steps", options.steps, "Of a whole picture")->check(CLI::PositiveNumber);
  table.add(group, "--repeats", options.repeats, "Of which the median counts, after a warm-up")
      ->check(CLI::PositiveNumber);
  table.add(group, "--json", options.json_file, "Also write all numbers to this file");
  table.add_flag(group, "--serve", options.serve,
                 "Measure one phase once for each line of stdin, and answer each with JSON");
  table.add("Model and device", "--model", options.model, "Model: the name or folder of a bundle");
  table.add("Model and device", "--device", options.device, kDeviceHelp);
  table.add("Model and device", "--dtype", options.dtype, kPrecisionHelp);
  table.add("Model and device", "--threads", options.threads, "CPU threads; 0: one for each core")
      ->check(CLI::NonNegativeNumber);
  table.add_flag("Messages", "-q,--quiet", options.quiet, "Do not say what is being measured");
  table.parse(argc, argv);
  options.phases = parse_bench_phases(phases);
  target_of(options);
  if (options.serve && options.phases.size() != 1) {
    throw UsageError("--serve: expected one phase, for example --serve --phases unet");
  }
  return options;
}

std::vector<std::string> arguments_for(BenchPhase phase, const BenchOptions& options) {
  return {"--serve",
          "--phases=" + std::string(info_of(phase).name),
          "--model=" + options.model,
          "--device=" + options.device,
          "--dtype=" + options.dtype,
          "--threads=" + std::to_string(options.threads),
          "--size=" + std::to_string(options.size_px),
          "--steps=" + std::to_string(options.steps)};
}

ComputeTarget target_of(const BenchOptions& options) {
  return choose_target(options.device, options.dtype);
}

}  // namespace sdx
