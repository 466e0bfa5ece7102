#include "sdx/generation/sampling_presets.h"

#include <fstream>
#include <string>
#include <vector>

#include "sdx/generation/image_jobs.h"
#include "sdx/generation/image_options.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using namespace sdx;

namespace {

std::string describe(const ImageSettings& settings) {
  return std::string(to_string(settings.sampler.sampler)) + " " +
         std::string(to_string(settings.sampler.schedule)) + " " +
         std::to_string(settings.sampler.steps) + " " +
         std::to_string(static_cast<int>(settings.guidance_scale * 10));
}

/// What becomes of a line of a prompts file, in the order of the axes' cells.
std::vector<std::string> read(const std::string& line, const ImageOptions& base,
                              const std::vector<std::string>& axes = {}) {
  const sdx::test::TempFolder folder;
  std::ofstream(folder.file("prompts.txt")) << line << "\n";
  JobSettings settings;
  for (const std::string& axis : axes) settings.axes.push_back(parse_grid_axis(axis));
  std::vector<std::string> seen;
  for (ImageOptions& options : read_prompt_options(folder.file("prompts.txt"), base)) {
    options.seed = 1;
    for (const ImageJob& job : make_jobs(options, settings)) {
      CHECK(job.request.settings.sampler.custom_sigmas.empty());
      seen.push_back(describe(job.request.settings));
    }
  }
  return seen;
}

using Seen = std::vector<std::string>;

}  // namespace

TEST_CASE("sampling presets: each sets all four", "[generation]") {
  CHECK(read("--preset-sampling lcm --prompt a", {}) == Seen{"lcm auto 4 10"});
  CHECK(read("--preset-sampling turbo --prompt a", {}) == Seen{"euler_a trailing 4 10"});
  CHECK(read("--preset-sampling=lightning --prompt a", {}) == Seen{"euler trailing 4 10"});
  CHECK(read("--preset-sampling hyper --prompt a", {}) == Seen{"ddim trailing 8 10"});
  CHECK(read("--preset-sampling tcd --steps 1 --prompt a", {}) == Seen{"tcd auto 1 10"});
  CHECK(read("--preset-sampling none --prompt a", {}) == Seen{"dpmpp_2m auto 20 70"});
  CHECK_THROWS_WITH(read("--preset-sampling turob --prompt a", {}),
                    Catch::Matchers::ContainsSubstring(
                        "`preset-sampling`: expected none, lcm, turbo, lightning, hyper or tcd"));
}

TEST_CASE("sampling presets: what a line says comes before them, in any order", "[generation]") {
  CHECK(read("--steps 8 --preset-sampling lcm --cfg 1.5 --prompt a", {}) == Seen{"lcm auto 8 15"});
  CHECK(read("--preset-sampling lcm --cfg 1.5 --steps 8 --prompt a", {}) == Seen{"lcm auto 8 15"});
  CHECK(read("--schedule sgm_uniform --preset-sampling lightning --prompt a", {}) ==
        Seen{"euler sgm_uniform 4 10"});
  // What held before the line does not.
  ImageOptions base;
  base.settings.sampler.steps = 30;
  base.settings.sampler.schedule = ScheduleKind::kCustom;
  base.settings.sampler.custom_sigmas = {10, 1};
  CHECK(read("--preset-sampling lcm --prompt a", base) == Seen{"lcm auto 4 10"});
  base = {};
  apply_sampling_preset(SamplingPreset::kTurbo, base);
  CHECK(read("--prompt a", base) == Seen{"euler_a trailing 4 10"});
  CHECK(read("--prompt a --preset-sampling hyper", base) == Seen{"ddim trailing 8 10"});
}

TEST_CASE("sampling presets: an axis of a grid, whichever the other one is", "[generation]") {
  const Seen expected = {"lcm auto 2 10", "euler trailing 2 10", "lcm auto 3 10",
                         "euler trailing 3 10"};
  CHECK(read("--prompt a", {}, {"preset-sampling=lcm,lightning", "steps=2,3"}) == expected);
  CHECK(read("--prompt a", {}, {"steps=2,3", "preset-sampling=lcm,lightning"}) ==
        Seen{expected[0], expected[2], expected[1], expected[3]});
  CHECK(read("--prompt a", {}, {"preset-sampling=none,hyper"}) ==
        Seen{"dpmpp_2m auto 20 70", "ddim trailing 8 10"});
}
