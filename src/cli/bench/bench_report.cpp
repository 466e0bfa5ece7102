#include "cli/bench/bench_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The text encoder computes in float32, whatever the UNet does.
std::string choose_dtype(BenchPhase phase, const std::string& dtype) {
  return phase == BenchPhase::kText ? "fp32" : dtype;
}

/// A cell of the table; "-" where there is nothing to say.
std::string cell(const Json& summary, const char* key, double factor, int digits) {
  if (!summary.contains(key)) return "-";
  const double value = summary[key].get<double>() * factor;
  // A GPU's rates are long numbers, of which the exponents would be hard to read.
  return value < std::pow(10, digits) ? short_number(value, digits) : fixed_number(value, 0);
}

std::string row(const std::array<std::string, 9>& cells) {
  char line[300];
  std::snprintf(line, sizeof line, "%-11s %9s %17s %8s %8s %8s %6s %8s  %s\n", cells[0].c_str(),
                cells[1].c_str(), cells[2].c_str(), cells[3].c_str(), cells[4].c_str(),
                cells[5].c_str(), cells[6].c_str(), cells[7].c_str(), cells[8].c_str());
  return line;
}

}  // namespace

Json summarize(BenchPhase phase, const std::vector<Json>& warm_ups,
               const std::vector<Json>& answers, const Json& ceiling, const std::string& dtype) {
  std::vector<double> seconds;
  std::vector<double> cpu_seconds;
  std::int64_t peak_bytes = 0;
  for (const Json& answer : answers) {
    seconds.push_back(answer["seconds"].get<double>());
    cpu_seconds.push_back(answer["cpu_seconds"].get<double>());
    peak_bytes = std::max(peak_bytes, answer["peak_memory_bytes"].get<std::int64_t>());
  }
  Json summary = {{"phase", describe_phase(phase).name},
                  {"seconds", median(seconds)},
                  {"all_seconds", seconds},
                  {"least_seconds", std::ranges::min(seconds)},
                  {"most_seconds", std::ranges::max(seconds)},
                  {"cpu_seconds", median(cpu_seconds)},
                  {"peak_memory_bytes", peak_bytes}};
  for (const auto& [key, value] : answers.back().items()) {
    if (!summary.contains(key)) summary[key] = value;
  }
  const Json& counted = warm_ups.empty() ? answers.front() : warm_ups.front();
  const double tflop = counted.value("tflop", 0.0);
  const bool is_arithmetic = phase != BenchPhase::kCeiling && phase != BenchPhase::kStart;
  summary.erase("tflop");
  if (tflop == 0 || !is_arithmetic) return summary;
  summary["tflop"] = tflop;
  summary["tflop_per_s"] = tflop / median(seconds);
  const std::string key = choose_dtype(phase, dtype) + "_tflop_per_s";
  if (ceiling.contains(key)) {
    summary["share_of_ceiling"] = tflop / median(seconds) / ceiling[key].get<double>();
  }
  return summary;
}

std::string report_table(const Json& report) {
  std::string text;
  for (const char* key : {"model", "size_px", "steps", "dtype", "device", "threads"}) {
    const Json& value = report[key];
    text += std::string(text.empty() ? "" : ", ") + key + " " +
            (value.is_string() ? value.get<std::string>() : value.dump());
  }
  text += "\n";
  const Json ceiling = report.value("ceiling", Json::object());
  if (!ceiling.empty()) {
    text += "ceiling: ";
    for (const char* const dtype : {"fp32", "bf16", "fp16"}) {
      const std::string key = std::string(dtype) + "_tflop_per_s";
      if (ceiling.contains(key)) {
        text += cell(ceiling, key.c_str(), 1000, 3) + " GFLOP/s " + dtype + ", ";
      }
    }
    text += "copy " + cell(ceiling, "copy_gb_per_s", 1, 3) + " GB/s\n";
  }
  text += row(
      {"phase", "seconds", "least - most", "CPU s", "TFLOP", "GFLOP/s", "share", "peak GB", ""});
  for (const Json& summary : report["phases"]) {
    const BenchPhase phase = parse_bench_phases(summary["phase"].get<std::string>()).front();
    if (phase == BenchPhase::kCeiling) continue;
    const std::string share = summary.contains("share_of_ceiling")
                                  ? cell(summary, "share_of_ceiling", 100, 2) + " %"
                                  : "-";
    text += row({summary["phase"].get<std::string>(), cell(summary, "seconds", 1, 3),
                 cell(summary, "least_seconds", 1, 3) + " - " + cell(summary, "most_seconds", 1, 3),
                 cell(summary, "cpu_seconds", 1, 3), cell(summary, "tflop", 1, 3),
                 cell(summary, "tflop_per_s", 1000, 3), share,
                 cell(summary, "peak_memory_bytes", 1e-9, 3),
                 std::string(describe_phase(phase).explanation)});
  }
  return text;
}

}  // namespace sdx
