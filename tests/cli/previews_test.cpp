// sdx-train --previews and --size: what a training spends beside its steps.

#include <algorithm>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

TEST_CASE("cli: --previews 0 trains without pictures and judging, and says so") {
  const Workplace place;
  const RunResult trained = place.train("Ada1", {"--previews", "0"});
  INFO(trained.err);
  REQUIRE(trained.exit_code == 0);
  CHECK_THAT(trained.err, ContainsSubstring("the last word is kept"));
  CHECK(fs::exists(place.path() / "embeddings/Ada1.safetensors"));
  CHECK(fs::exists(place.path() / "runs/Ada1/report.html"));
  CHECK_FALSE(fs::exists(place.path() / "runs/Ada1/previews"));
  const sdx::Json summary = sdx::read_json_file(place.path() / "runs/Ada1/summary.json");
  CHECK(summary["steps"] == 2);
  CHECK(summary["best_step"] == 2);
}

TEST_CASE("cli: --previews and --size say how many and how large previews are") {
  const Workplace place;
  const RunResult trained = place.train("Ada1", {"--previews", "2", "--size", "40"});
  INFO(trained.err);
  REQUIRE(trained.exit_code == 0);
  const sdx::Json sheets = sdx::read_json_file(place.path() / "runs/Ada1/sheets.json");
  CHECK(sheets["previews"].size() == 2);
  const auto cache = sdx::map_safetensors(place.path() / "runs/Ada1/latents.safetensors");
  CHECK(cache.tensors.begin()->second.size(2) == 5);  // 40 pixels
  CHECK(fs::exists(place.path() / "runs/Ada1/previews/000002.png"));
  // Another size or number is another training.
  const RunResult resumed =
      place.run("sdx-train", {"--resume", "runs/Ada1", "--previews", "4", "--steps", "3"});
  INFO(resumed.err);
  CHECK(resumed.exit_code != 0);
  CHECK_THAT(resumed.err, ContainsSubstring("--previews"));
  const RunResult wrong = place.train("Ben1", {"--size", "42"});
  CHECK(wrong.exit_code == 64);
  CHECK_THAT(wrong.err, ContainsSubstring("--size: expected 0 or a multiple of 8"));
  const RunResult many = place.train("Ben1", {"--previews", "5"});
  CHECK(many.exit_code == 64);
  CHECK_THAT(many.err, ContainsSubstring("--previews"));
}
