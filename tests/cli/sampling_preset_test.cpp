// --preset-sampling of sdx-generate and sdx-roster.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sdx/image/metadata.h"
#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

/// The text of the picture that is made.
std::string make(const Workplace& place, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"a robot", "--seed", "5"});
  const RunResult result = place.run("sdx-generate", arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return sdx::read_parameters(place.path() / result.out.substr(0, result.out.find('\n')))
      .value_or("");
}

}  // namespace

TEST_CASE("preset-sampling: sets the sampling, and what is typed or configured overrides it") {
  const Workplace place;
  CHECK_THAT(make(place, {"--preset-sampling", "lcm"}),
             ContainsSubstring("Steps: 4, Sampler: LCM, CFG scale: 1, Seed: 5"));
  CHECK_THAT(make(place, {"--preset-sampling", "turbo"}),
             ContainsSubstring("Steps: 4, Sampler: Euler a, Schedule type: Turbo, CFG scale: 1,"));
  CHECK_THAT(make(place, {"--preset-sampling", "hyper"}),
             ContainsSubstring("Steps: 8, Sampler: DDIM, Schedule type: Turbo, CFG scale: 1,"));
  CHECK_THAT(make(place, {"--preset-sampling", "tcd"}),
             ContainsSubstring("Steps: 4, Sampler: TCD, CFG scale: 1, Seed: 5"));
  const std::string typed =
      make(place, {"--steps", "2", "--cfg", "1.5", "--preset-sampling", "lightning"});
  CHECK_THAT(typed,
             ContainsSubstring("Steps: 2, Sampler: Euler, Schedule type: Turbo, CFG scale: 1.5,"));
  std::ofstream(place.path() / "mine.json") << R"({"steps": 3, "cfg": 2})";
  CHECK_THAT(make(place, {"--preset-sampling", "lcm", "--config", "mine.json", "--cfg", "1.5"}),
             ContainsSubstring("Steps: 3, Sampler: LCM, CFG scale: 1.5, Seed: 5"));
  std::ofstream(place.path() / "named.json") << R"({"cfg": 2, "preset-sampling": "lcm"})";
  const RunResult named = place.run("sdx-generate", {"a robot", "--config", "named.json"});
  CHECK(named.exit_code == 64);
  CHECK_THAT(named.err, ContainsSubstring("--preset-sampling is not part of a configuration"));
}

TEST_CASE("preset-sampling: comes behind what a picture says, and is made again from its text") {
  const Workplace place;
  make(place, {"--preset-sampling", "lightning", "--out", "made"});
  const fs::path made = place.path() / "made/0001-5-a-robot.png";
  const RunResult again = place.run("sdx-generate", {"--from-image", made.string(), "--out", "b"});
  CHECK(again.exit_code == 0);
  CHECK(sdx::test::read_bytes(place.path() / "b/0001-5-a-robot.png") ==
        sdx::test::read_bytes(made));
  const RunResult other = place.run(
      "sdx-generate", {"--from-image", made.string(), "--preset-sampling", "lcm", "--out", "c"});
  CHECK(other.exit_code == 0);
  CHECK_THAT(sdx::read_parameters(place.path() / "c/0001-5-a-robot.png").value_or(""),
             ContainsSubstring("Steps: 4, Sampler: LCM, CFG scale: 1, Seed: 5"));
}

TEST_CASE("preset-sampling: an unknown one is named with those that there are") {
  const Workplace place;
  const RunResult result = place.run("sdx-generate", {"a robot", "--preset-sampling", "tubro"});
  CHECK(result.exit_code == 64);
  CHECK_THAT(result.err, ContainsSubstring("--preset-sampling: expected none, lcm, turbo, "
                                           "lightning, hyper or tcd, found \"tubro\""));
  const RunResult shown =
      place.run("sdx-generate", {"a", "--preset-sampling", "lcm", "--print-config"});
  CHECK(shown.exit_code == 0);
  const sdx::Json config = sdx::Json::parse(shown.out);
  CHECK(config.at("sampler") == "lcm");
  CHECK(config.at("steps") == 4);
  CHECK(!config.contains("preset-sampling"));
}
