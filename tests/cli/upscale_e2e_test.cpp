// The upscaler that comes with the built-in model, by its name.

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "support/image_files.h"
#include "support/mini_bundle.h"
#include "support/run.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::Image;
using Words = std::vector<std::string>;

namespace {

Image make_picture(const fs::path& folder, const std::string& out, Words more) {
  sdx::test::Run command;
  command.tool = "sdx-generate";
  command.arguments = {"a man with a beard", "--seed", "3", "--quiet", "--out", out};
  command.arguments.insert(command.arguments.end(), more.begin(), more.end());
  command.folder = folder;
  const sdx::test::RunResult made = sdx::test::run(command);
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  return sdx::decode_image(fs::directory_iterator(folder / out)->path()).image;
}

double mean_difference(const Image& a, const Image& b) {
  REQUIRE(a.rgb.size() == b.rgb.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

/// Share of neighbours in a row that are far apart: edges of one pixel.
double share_of_edges(const Image& image) {
  const std::size_t row = 3 * static_cast<std::size_t>(image.width_px);
  std::size_t edges = 0;
  for (std::size_t i = 3; i < image.rgb.size(); ++i) {
    edges += i % row >= 3 && std::abs(image.rgb[i] - image.rgb[i - 3]) > 40 ? 1 : 0;
  }
  return static_cast<double>(edges) / static_cast<double>(image.rgb.size());
}

}  // namespace

TEST_CASE("e2e: the upscaler of the built-in model draws the same picture with sharp edges") {
  REQUIRE(fs::exists(sdx::test::mini_bundle().folder()));
  const sdx::test::TempFolder folder;
  const Image small = make_picture(folder.path(), "small", {});
  const Image large = make_picture(folder.path(), "large", {"--upscale", "cartoon-4x"});
  REQUIRE(large.width_px == 4 * small.width_px);
  REQUIRE(large.height_px == 4 * small.height_px);
  const Image back = sdx::resize(large, small.width_px, small.height_px);
  CHECK(mean_difference(back, small) < 4);
  const Image plain = sdx::resize(small, large.width_px, large.height_px);
  CHECK(share_of_edges(large) > 2 * share_of_edges(plain));
}
