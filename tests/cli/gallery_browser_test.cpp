// The pages as people use them: clicked, typed into, copied and downloaded from. That takes
// tests/cli/requirements.txt, so this runs only where SDX_PYTHON names a Python that has them, and
// where a Chromium is installed. scripts/test.sh --all sees to the first.

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sdx/image/contact_sheet.h"
#include "sdx/image/png.h"
#include "sdx/image/write.h"
#include "sdx/roster/gallery.h"
#include "sdx/training/report.h"
#include "sdx/util/json.h"
#include "support/image_files.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::Gallery;
using sdx::GalleryImage;
using sdx::test::TempFolder;

namespace {

constexpr int kNoBrowser = 77;

void add(Gallery& gallery, const fs::path& team, const GalleryImage& image) {
  fs::create_directories((team / image.file).parent_path());
  sdx::write_png(team / image.file, sdx::test::busy_image(image.width_px, image.height_px));
  gallery.images.push_back(image);
}

/// Every case that a page must bear: two people in one picture, nobody, a name and a file name full
/// of signs, a picture large enough for a thumbnail, the largest seed.
void make_small(const fs::path& team) {
  Gallery gallery;
  gallery.title = "The \"Crew\" & Co <3";
  const std::string odd = "Zoë & \"Søn\"";
  gallery.people = {{"Ada", "likeness 0.93 after 125 steps"},
                    {"Ben", ""},
                    {odd, "likeness 0.81 after 90 steps"},
                    {"Fritz", "no face in any of 3 portraits"}};
  const std::string euler = "Euler, 20 steps, guidance 7";
  add(gallery, team,
      {"pictures/Ada/unicorn.png", {"Ada"}, "<Ada> riding a unicorn", "red", 7, euler, 64, 64});
  add(gallery, team,
      {"pictures/Ada/robot.png", {"Ada"}, "Robot <Ada>", "", UINT64_MAX, euler, 64, 64});
  add(gallery, team,
      {"pictures/Ben/unicorn.png", {"Ben"}, "<Ben> riding a unicorn", "", 7, euler, 64, 64});
  add(gallery, team, {"pictures/Ben/robot.png", {"Ben"}, "Robot <Ben>", "", 8, euler, 64, 64});
  add(gallery, team,
      {"pictures/Zoë/50% #1? ü.png", {odd}, "Robot <" + odd + ">", "", 8, euler, 600, 400});
  add(gallery, team,
      {"pictures/both.png", {"Ada", "Ben"}, "<Ada> and <Ben> at sea", "", 9, euler, 64, 96});
  add(gallery, team,
      {"pictures/nobody.png",
       {},
       "a lighthouse </script><script>document.title = 'taken'</script> & {{script}} 🦄 \"'\nat "
       "dusk",
       "",
       10,
       "",
       64,
       64});
  gallery.people[0].portrait = "gallery-portraits/Ada/portrait.webp";
  fs::create_directories(team / "gallery-portraits/Ada");
  sdx::write_image(team / gallery.people[0].portrait, sdx::test::busy_image(256, 256),
                   {sdx::ImageFormat::kWebp}, {});
  sdx::write_gallery(team, gallery);
  fs::create_directory(team.parent_path() / "person");
  sdx::write_person_page(team, gallery, "Ada", team.parent_path() / "person/index.html");
}

/// A run with portraits and previews in their sheets, as a training leaves it.
void make_run(const fs::path& folder) {
  fs::create_directories(folder / "previews");
  const auto write = [&](const std::string& file, const std::string& text) {
    std::ofstream(folder / file, std::ios::binary) << text;
  };
  std::vector<sdx::SheetCell> cells;
  for (int i = 0; i < 5; ++i) {
    cells.push_back(
        {sdx::test::busy_image(64 + i, 64 + i), "portrait " + std::to_string(i) + ".jpg"});
  }
  const sdx::ContactSheet sheet = sdx::draw_contact_sheet(cells);
  sdx::write_png(folder / "portraits.png", sheet.image);
  sdx::Json portraits = sdx::Json::array();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const sdx::Rect& at = sheet.places[i];
    portraits.push_back(
        {{"file", cells[i].label}, {"place", {at.x_px, at.y_px, at.width_px, at.height_px}}});
  }
  const std::vector<std::string> prompts = {"<Ada> in the snow", "Robot <Ada>",
                                            "a portrait of <Ada>", "<Ada> & \"co\" </script>"};
  write("sheets.json", sdx::Json{{"portraits", portraits}, {"previews", prompts}}.dump());
  write("config.json", R"({"name": "Ada", "steps": 100, "init": "a woman with a very long hat"})");
  write("summary.json", R"({"name": "Ada", "model": "mini", "steps": 100, "best_step": 50,
      "stopped_because": "the loss has settled", "likeness_before": 0.2, "likeness_after": 0.7,
      "seconds": 40, "peak_memory_gb": 0.5, "embedding": "embeddings/Ada.safetensors"})");
  std::string metrics;
  for (int step = 0; step <= 100; step += 50) {
    std::vector<sdx::SheetCell> previews;
    for (const std::string& prompt : prompts) {
      previews.push_back({sdx::test::busy_image(32 + step, 32 + step), prompt});
    }
    sdx::write_png(folder / "previews" / (std::to_string(step) + ".png"),
                   sdx::contact_sheet(previews, 4));
    metrics += sdx::Json{{"step", step},
                         {"fixed_loss", 0.06 - step * 0.0002},
                         {"likeness", 0.2 + step * 0.005},
                         {"obedience", 0.9},
                         {"score", 0.5},
                         {"likeness_by_portrait", {0.5, 0.25 + step * 0.005, nullptr, 0.75, 0.6}}}
                   .dump() +
               "\n";
  }
  write("metrics.jsonl", metrics);
  sdx::write_report(folder);
  fs::rename(folder / "report.html", folder / "index.html");
}

void make_big(const fs::path& team) {
  Gallery gallery;
  gallery.title = "Everyone";
  fs::create_directory(team / "pictures");
  sdx::write_png(team / "picture.png", sdx::test::busy_image(64, 64));
  for (int person = 0; person < 500; ++person) {
    const std::string name = "Person " + std::to_string(person);
    gallery.people.push_back({name, "likeness 0.93 after 125 steps"});
    for (int k = 0; k < 20; ++k) {
      const std::string place = std::to_string(k);
      const fs::path file = "pictures/" + std::to_string(person) + "-" + place + ".png";
      fs::create_hard_link(team / "picture.png", team / file);
      const std::string prompt =
          k == 0 ? "Robot <" + name + ">" : "<" + name + "> in place " + place;
      gallery.images.push_back(
          {file, {name}, prompt, "", static_cast<std::uint64_t>(k), "Euler, 20 steps", 64, 64});
    }
  }
  sdx::write_gallery(team, gallery);
}

}  // namespace

TEST_CASE("cli: the pages are searched, compared, marked and downloaded from in Chromium") {
  if (std::getenv("SDX_PYTHON") == nullptr) SDX_SKIP("SDX_PYTHON names no Python with Playwright");
  const TempFolder folder;
  fs::create_directory(folder.path() / "small");
  fs::create_directory(folder.path() / "big");
  make_small(folder.path() / "small");
  make_big(folder.path() / "big");
  make_run(folder.path() / "run");
  const std::string command = std::string(std::getenv("SDX_PYTHON")) +
                              " " SDX_SOURCE_DIR "/tests/cli/gallery_browser.py " +
                              folder.path().string();
  const int status = std::system(command.c_str());
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoBrowser) SDX_SKIP("no Playwright or no Chromium on this machine");
  CHECK(WEXITSTATUS(status) == 0);
}
