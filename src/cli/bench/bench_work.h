#pragma once

#include <functional>

#include "cli/bench/bench_options.h"
#include "sdx/util/json.h"

namespace sdx {

/// One repetition of a phase; ends when its result is there. What it returns goes into the answer;
/// "seconds" and "cpu_seconds" of its own replace what the caller measured.
using BenchWork = std::function<Json()>;

/// Loads what a phase needs and nothing else.
/// @throws as Bundle::find, choose_target and the parts.
BenchWork prepare_work(BenchPhase phase, const BenchOptions& options);

}  // namespace sdx
