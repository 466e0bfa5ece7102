#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// What is measured on its own, in a process of its own, so that its peak memory is its own.
enum class BenchPhase {
  kCeiling,
  kStart,
  kLoad,
  kText,
  kUnet,
  kVae,
  kWrite,
  kImage,
  kStep,
  kEvaluation,
};

struct BenchPhaseInfo {
  BenchPhase phase;
  std::string_view name;         ///< as --phases has it
  std::string_view explanation;  ///< for the table
  bool once_per_process = false;
};

/// In the order in which they are measured.
const std::vector<BenchPhaseInfo>& all_bench_phases();

const BenchPhaseInfo& describe_phase(BenchPhase phase);

/// A comma-separated list of names.
/// @throws UsageError listing the names there are.
std::vector<BenchPhase> parse_bench_phases(const std::string& text);

}  // namespace sdx
