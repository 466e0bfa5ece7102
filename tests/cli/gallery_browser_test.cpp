// The gallery as people use it: clicked, typed into, copied from. That takes Playwright, so this
// runs only where SDX_PYTHON names a Python that has it, and where a Chromium is installed.

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "sdx/image/png.h"
#include "sdx/roster/gallery.h"
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
  sdx::write_gallery(team, gallery);
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

TEST_CASE("cli: the gallery is searched, filtered, enlarged and copied from in Chromium") {
  if (std::getenv("SDX_PYTHON") == nullptr) SDX_SKIP("SDX_PYTHON names no Python with Playwright");
  const TempFolder folder;
  fs::create_directory(folder.path() / "small");
  fs::create_directory(folder.path() / "big");
  make_small(folder.path() / "small");
  make_big(folder.path() / "big");
  const std::string command =
      std::string(std::getenv("SDX_PYTHON")) + " " SDX_SOURCE_DIR "/tests/cli/gallery_browser.py " +
      (folder.path() / "small").string() + " " + (folder.path() / "big").string();
  const int status = std::system(command.c_str());
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoBrowser) SDX_SKIP("no Playwright or no Chromium on this machine");
  CHECK(WEXITSTATUS(status) == 0);
}
