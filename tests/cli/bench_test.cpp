// sdx-bench on the tiny model: what it counts, how it answers. Not how long anything takes.

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::Run;
using sdx::test::RunResult;
using sdx::test::Workplace;

TEST_CASE("cli: sdx-bench says what it does not know") {
  const Workplace place;
  const RunResult phase = place.run("sdx-bench", {"--phases", "unet,flying"});
  CHECK(phase.exit_code == 64);
  CHECK_THAT(phase.err, ContainsSubstring("found \"flying\""));
  CHECK_THAT(phase.err, ContainsSubstring("evaluation"));
  const RunResult dtype = place.run("sdx-bench", {"--dtype", "int3"});
  CHECK(dtype.exit_code == 64);
  CHECK_THAT(dtype.err, ContainsSubstring("fp32, bf16 or fp16, found \"int3\""));
  CHECK(place.run("sdx-bench", {"--serve"}).exit_code == 64);
  CHECK(place.run("sdx-bench", {"--repeats", "0"}).exit_code == 64);

  Run nowhere;
  nowhere.tool = "sdx-bench";
  nowhere.arguments = {"--model", "nosuch", "--phases", "unet"};
  CHECK(sdx::test::run(nowhere).exit_code == 66);
}

TEST_CASE("cli: sdx-bench counts the work of each phase and writes it as JSON") {
  const Workplace place;
  const RunResult result = place.run(
      "sdx-bench", {"--phases", "start,load,text,unet,vae,write,picture,step,evaluation",
                    "--repeats", "1", "--steps", "2", "--size", "64", "--json", "bench.json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const sdx::Json report = sdx::read_json_file(place.path() / "bench.json");
  CHECK(report["model"] == "tiny");
  CHECK(report["size_px"] == 64);
  CHECK(report["dtype"] == "fp32");
  CHECK(report["threads"] >= 1);
  REQUIRE(report["phases"].size() == 9);
  std::map<std::string, double> tflop;
  for (const sdx::Json& phase : report["phases"]) {
    const auto name = phase["phase"].get<std::string>();
    INFO(name);
    CHECK(phase["seconds"] > 0);
    CHECK(phase["cpu_seconds"] >= 0);
    CHECK(phase["all_seconds"].size() == 1);
    CHECK(phase["peak_memory_bytes"] > 1e7);
    CHECK_FALSE(phase.contains("share_of_ceiling"));
    CHECK_THAT(result.out, ContainsSubstring("\n" + name + " "));
    tflop[name] = phase.value("tflop", 0.0);
  }
  CHECK(report["phases"][0]["first_step_seconds"] > 0);
  CHECK(tflop["load"] == 0);
  CHECK(tflop["write"] == 0);
  CHECK(tflop["vae"] > 0);
  CHECK(tflop["text"] > 0);
  const auto times = [&](const char* whole, double parts) {
    return std::abs(tflop[whole] / parts - 1);
  };
  // A picture is its texts, two steps and the decoder.
  const double step = tflop["unet"];
  CHECK(times("picture", tflop["text"] + 2 * step + tflop["vae"]) < 1e-9);
  // Four rows where a guided step has two; a training step has one, there and back.
  CHECK(times("evaluation", 2 * step + 2 * tflop["text"]) < 1e-9);
  CHECK(tflop["step"] > step);
  CHECK(tflop["step"] < 2 * step);
}

TEST_CASE("cli: sdx-bench --serve answers each line once") {
  const Workplace place;
  std::ofstream(place.path() / "turns") << "\n\n\n";
  Run serving = place.command("sdx-bench",
                              {"--serve", "--phases", "unet", "--size", "64", "--dtype", "bf16"});
  serving.input = place.path() / "turns";
  const RunResult result = sdx::test::run(serving);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  std::istringstream lines(result.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const sdx::Json answer = sdx::Json::parse(line);
    CHECK(answer["seconds"] > 0);
    CHECK(answer["peak_memory_bytes"] > 1e7);
    CHECK(answer.contains("tflop") == (count == 0));
  }
  CHECK(count == 3);
}
