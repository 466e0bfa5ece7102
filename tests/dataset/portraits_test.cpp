#include "sdx/dataset/portraits.h"

#include "sdx/dataset/templates.h"
#include "sdx/image/png.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

namespace {

/// A picture with its left half in one grey and its right half in another.
sdx::Image two_tone(int width_px, int height_px, std::uint8_t left, std::uint8_t right = 200) {
  sdx::Image image(width_px, height_px);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    const int x = static_cast<int>(i / 3) % width_px;
    image.rgb[i] = x < width_px / 2 ? left : right;
  }
  return image;
}

}  // namespace

TEST_CASE("dataset: pictures become squares of the model's size, never squashed", "[dataset]") {
  const TempFolder folder;
  sdx::write_png(folder.path() / "1-wide.png", two_tone(200, 100, 10));
  sdx::write_png(folder.path() / "2-tall.png", two_tone(90, 120, 20));
  sdx::write_png(folder.path() / "3-square.png", two_tone(64, 64, 30));
  folder.file(".hidden", "x");
  const auto portraits = sdx::load_portraits(folder.path(), 64, nullptr);
  REQUIRE(portraits.size() == 3);
  for (const sdx::Portrait& portrait : portraits) {
    INFO(portrait.file.string() << ": " << portrait.problem);
    CHECK(portrait.used());
    CHECK(portrait.image.width_px == 64);
    CHECK(portrait.image.height_px == 64);
    CHECK(portrait.area.width_px == portrait.area.height_px);
  }
  CHECK(portraits[0].crop == sdx::Crop::kCentre);
  CHECK(portraits[0].area.x_px == 50);
  CHECK(portraits[0].width_px == 200);
  CHECK(portraits[2].crop == sdx::Crop::kNone);
  CHECK_NOTHROW(sdx::check_enough_portraits(folder.path(), portraits));
}

TEST_CASE("dataset: a file that cannot be used says why", "[dataset]") {
  const TempFolder folder;
  folder.file("a.jpg", "I am a text.");
  sdx::write_png(folder.path() / "b.png", two_tone(1, 1, 10));
  sdx::write_png(folder.path() / "c.png", two_tone(80, 80, 10));
  sdx::write_png(folder.path() / "d.png", two_tone(80, 80, 10));
  sdx::write_png(folder.path() / "e.png", two_tone(80, 80, 11));
  const auto portraits = sdx::load_portraits(folder.path(), 64, nullptr);
  REQUIRE(portraits.size() == 5);
  CHECK_FALSE(portraits[0].used());
  CHECK_THAT(portraits[1].problem, ContainsSubstring("too small: its shorter side has 1 px"));
  CHECK(portraits[2].used());
  CHECK_THAT(portraits[3].problem, ContainsSubstring("the same picture as c.png"));
  CHECK(portraits[4].used());
  try {
    sdx::check_enough_portraits(folder.path(), portraits);
    FAIL("two portraits were enough");
  } catch (const sdx::MissingInputError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("at least 3 usable portraits, found 2"));
    CHECK_THAT(error.what(), ContainsSubstring("a.jpg: "));
    CHECK_THAT(error.what(), ContainsSubstring("b.png: too small"));
  }
}

TEST_CASE("dataset: a missing folder, a file and an empty folder are missing inputs", "[dataset]") {
  const TempFolder folder;
  CHECK_THROWS_AS(sdx::load_portraits(folder.path() / "absent", 64, nullptr),
                  sdx::MissingInputError);
  CHECK_THROWS_AS(sdx::load_portraits(folder.file("file", "x"), 64, nullptr),
                  sdx::MissingInputError);
  CHECK_THROWS_AS(sdx::check_enough_portraits(folder.path(), {}), sdx::MissingInputError);
}

TEST_CASE("dataset: templates have a place for the name", "[dataset]") {
  ::setenv("SDX_DATA", SDX_SHARE_DIR, 1);
  const auto templates = sdx::person_templates();
  ::unsetenv("SDX_DATA");
  CHECK(templates.size() >= 10);
  CHECK(std::find(templates.begin(), templates.end(), "a rendering of {name}") != templates.end());
}
