// The default path of sdx-train with photographs: faces are found, and cropped around.

#include <algorithm>
#include <sstream>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

/// The photograph of tests/data/face, and two that differ enough to count as others.
void write_photographs(const fs::path& folder) {
  fs::create_directory(folder);
  const fs::path file = fs::path(SDX_TEST_DATA) / "face/portrait.jpg";
  fs::copy(file, folder / "1-whole.jpg");
  sdx::Image photo = sdx::decode_image(file).image;
  sdx::write_png(folder / "2-upper.png", sdx::crop(photo, {20, 10, 320, 400}));
  for (int y = 0; y < photo.height_px; ++y) {
    auto* const row = photo.rgb.data() + std::ptrdiff_t{3} * photo.width_px * y;
    for (int x = 0; x < photo.width_px / 2; ++x) {
      std::swap_ranges(row + std::ptrdiff_t{3} * x, row + std::ptrdiff_t{3} * x + 3,
                       row + std::ptrdiff_t{3} * (photo.width_px - 1 - x));
    }
  }
  sdx::write_png(folder / "3-mirrored.png", photo);
}

}  // namespace

TEST_CASE("cli: photographs are cropped around the face without being asked to") {
  const Workplace place;
  write_photographs(place.path() / "photos");
  const RunResult result = place.run(
      "sdx-train", {"photos", "--name", "Eileen", "--steps", "1", "--batch", "1", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("3 of 3 files used"));
  CHECK_THAT(result.err, ContainsSubstring("around the face"));
  int files = 0;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    const sdx::Json json = sdx::Json::parse(line);
    if (!json.contains("file")) continue;
    INFO(line);
    ++files;
    CHECK(json["faces"] == 1);
    CHECK(json["crop"] == "face");
    CHECK(json["face"]["width_px"] > 60);
  }
  CHECK(files == 3);
  CHECK(fs::exists(place.path() / "embeddings/Eileen.safetensors"));
}
