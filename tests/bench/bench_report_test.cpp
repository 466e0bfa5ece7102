#include "cli/bench/bench_report.h"

#include "support/throws.h"

#include "support/catch.h"

using sdx::Json;
using sdx::test::contains;

namespace {

Json ceiling_of_a_gpu() {
  return {{"fp32_tflop_per_s", 50.0}, {"fp16_tflop_per_s", 700.0}, {"copy_gb_per_s", 4000.0}};
}

}  // namespace

TEST_CASE("bench: what is computed in half precision is compared with the ceiling of that") {
  const Json answer = {{"seconds", 0.01},
                       {"cpu_seconds", 0.01},
                       {"peak_memory_bytes", 3'000'000'000},
                       {"peak_host_memory_bytes", 2'000'000'000},
                       {"tflop", 1.4}};
  const Json summary =
      sdx::summarize(sdx::BenchPhase::kUnet, {answer}, {answer}, ceiling_of_a_gpu(), "fp16");
  CHECK(summary["share_of_ceiling"] == 0.2);
  CHECK(summary["peak_memory_bytes"] == 3'000'000'000);
  CHECK(summary["peak_host_memory_bytes"] == 2'000'000'000);
  const Json text =
      sdx::summarize(sdx::BenchPhase::kText, {answer}, {answer}, ceiling_of_a_gpu(), "fp16");
  CHECK(text["share_of_ceiling"] == 2.8);  // the text encoder computes in float32
}

TEST_CASE("bench: the table shows the ceilings that were measured") {
  const Json report = {{"model", "sd15"},
                       {"size_px", 512},
                       {"steps", 20},
                       {"dtype", "fp16"},
                       {"device", "cuda:0"},
                       {"threads", 2},
                       {"phases", Json::array()},
                       {"ceiling", ceiling_of_a_gpu()}};
  const std::string table = sdx::report_table(report);
  CHECK(contains(table, "ceiling: 50000 GFLOP/s fp32, 700000 GFLOP/s fp16, copy 4000 GB/s"));
  CHECK_FALSE(contains(table, "bf16"));
}

TEST_CASE("bench: a GPU's rates are read as they are") {
  const Json answer = {{"seconds", 0.002},
                       {"cpu_seconds", 0.01},
                       {"peak_memory_bytes", 3'000'000'000},
                       {"tflop", 1.25}};
  const Json summary =
      sdx::summarize(sdx::BenchPhase::kUnet, {answer}, {answer}, ceiling_of_a_gpu(), "fp16");
  const Json report = {{"model", "sd15"},    {"size_px", 512},     {"steps", 20},
                       {"dtype", "fp16"},    {"device", "cuda:0"}, {"threads", 2},
                       {"phases", {summary}}};
  const std::string table = sdx::report_table(report);
  CHECK(contains(table, " 625000 "));
  CHECK(contains(table, " 89 % "));
  CHECK(contains(table, " 1.25 "));
}
