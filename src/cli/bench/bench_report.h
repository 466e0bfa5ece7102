#pragma once

#include <string>
#include <vector>

#include "cli/bench/bench_options.h"
#include "sdx/util/json.h"

namespace sdx {

/// A phase's numbers of all repetitions: median, extremes, peak memory, arithmetic.
/// @param answers what the phase's processes said; those of them that were warm-ups are left out
///        of the times.
/// @param ceiling of the machine, or null; gives the share that was reached.
Json summarize(BenchPhase phase, const std::vector<Json>& warm_ups,
               const std::vector<Json>& answers, const Json& ceiling, const std::string& dtype);

/// The whole report as an aligned table.
std::string report_table(const Json& report);

}  // namespace sdx
