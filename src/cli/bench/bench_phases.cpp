#include "cli/bench/bench_phases.h"

#include <algorithm>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

const std::vector<BenchPhaseInfo>& all_bench_phases() {
  static const std::vector<BenchPhaseInfo> kAll = {
      {BenchPhase::kCeiling, "ceiling", "what the machine can do"},
      {BenchPhase::kStart, "start", "program start to first UNet step", true},
      {BenchPhase::kLoad, "load", "bundle to generator"},
      {BenchPhase::kText, "text", "a prompt and its negative"},
      {BenchPhase::kUnet, "unet", "a guided step, two rows"},
      {BenchPhase::kVae, "vae", "latents to picture"},
      {BenchPhase::kWrite, "write", "picture to PNG file"},
      {BenchPhase::kImage, "picture", "a whole picture"},
      {BenchPhase::kStep, "step", "a training step, batch 1"},
      {BenchPhase::kEvaluation, "evaluation", "loss of the fixed batch, four rows"},
  };
  return kAll;
}

const BenchPhaseInfo& describe_phase(BenchPhase phase) {
  return *std::find_if(all_bench_phases().begin(), all_bench_phases().end(),
                       [&](const BenchPhaseInfo& info) { return info.phase == phase; });
}

std::vector<BenchPhase> parse_bench_phases(const std::string& text) {
  std::vector<BenchPhase> phases;
  for (const std::string& name : split_list(text, ',')) {
    const auto found = std::find_if(all_bench_phases().begin(), all_bench_phases().end(),
                                    [&](const BenchPhaseInfo& info) { return info.name == name; });
    if (found == all_bench_phases().end()) {
      std::vector<std::string> names;
      for (const BenchPhaseInfo& info : all_bench_phases()) names.emplace_back(info.name);
      throw UsageError("--phases: expected some of " + join(names, ", ") + ", found \"" + name +
                       "\"");
    }
    phases.push_back(found->phase);
  }
  if (phases.empty()) throw UsageError("--phases: expected at least one name, found none");
  return phases;
}

}  // namespace sdx
