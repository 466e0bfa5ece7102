#include "sdx/roster/team_folder.h"

#include <algorithm>

#include "sdx/util/error.h"
#include "sdx/util/lock.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

/// Files of Ada, of Ben, and of both.
struct Files {
  Files() {
    for (const char* file :
         {"embeddings/Ada.safetensors", "embeddings/Ben.safetensors", "people/Ben/record.json",
          "people/Ben/training/metrics.jsonl", "people/Ada/record.json", "pictures/Ada/1.png",
          "pictures/Ben/2.png", "pictures/Ada Ben/3.png", "thumbnails/pictures/Ben/2.png.webp",
          "pictures/Bennet/4.png"}) {
      fs::create_directories((folder.path() / file).parent_path());
      folder.file(file, "x");
    }
  }
  TempFolder folder;
  sdx::TeamFolder team{folder.path()};
};

}  // namespace

TEST_CASE("roster: a person's pictures are those alone and with others", "[roster]") {
  const Files files;
  const std::vector<fs::path> removed = sdx::remove_images(files.team, "Ben");
  CHECK(removed == std::vector<fs::path>{"pictures/Ada Ben/3.png", "pictures/Ben/2.png",
                                         "thumbnails/pictures/Ben/2.png.webp"});
  CHECK(fs::exists(files.folder.path() / "pictures/Ada/1.png"));
  CHECK(fs::exists(files.folder.path() / "pictures/Bennet/4.png"));
}

TEST_CASE("roster: forgetting removes all of a person and nothing else", "[roster]") {
  const Files files;
  files.folder.file("summary.json", R"({"title": "team", "done": true, "problems": ["<Ben> x"],
      "people": [{"name": "Ada"}, {"name": "Ben"}]})");
  const std::vector<fs::path> removed = sdx::forget_person(files.team, "Ben");
  CHECK(std::is_sorted(removed.begin(), removed.end()));
  CHECK(removed.size() == 6 + 1);  // the lock that forgetting itself took is one of them
  CHECK_FALSE(fs::exists(files.folder.path() / "people/Ben"));
  CHECK(fs::exists(files.folder.path() / "people/Ada/record.json"));
  CHECK(sdx::test::read_bytes(files.team.summary()).find("Ben") == std::string::npos);
  CHECK(fs::exists(files.folder.path() / "index.html"));
  CHECK_THROWS_AS(sdx::forget_person(files.team, "Ben"), sdx::MissingInputError);
}

TEST_CASE("roster: a name that is a path forgets nothing") {
  const Files files;
  files.folder.file("roster.json", "{}");
  const fs::path outside = files.folder.path() / "outside";
  fs::create_directories(outside);
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), outside.string(),
        std::string("../outside"), std::string("Ada/../Ben"), std::string("Ada/"),
        std::string("Ada Ben"), std::string("../../outside")}) {
    INFO(name);
    CHECK_THROWS_AS(sdx::forget_person(files.team, name), sdx::UsageError);
  }
  CHECK(fs::exists(outside));
  CHECK(fs::exists(files.folder.path() / "people/Ada/record.json"));
  CHECK(fs::exists(files.folder.path() / "people/Ben/record.json"));
  CHECK(fs::exists(files.folder.path() / "pictures/Ada Ben/3.png"));
}

TEST_CASE("roster: nothing is removed from a folder that is no team's") {
  const TempFolder folder;
  fs::create_directories(folder.path() / "people/x");
  folder.file("people/x/a", "mine");
  CHECK_THROWS_AS(sdx::forget_person({folder.path()}, "x"), sdx::MissingInputError);
  CHECK(fs::exists(folder.path() / "people/x/a"));
}

TEST_CASE("roster: nobody is forgotten while they are worked on", "[roster]") {
  const Files files;
  const sdx::FileLock lock(files.team.lock("Ben"), "Ben");
  CHECK_THROWS_AS(sdx::forget_person(files.team, "Ben"), sdx::TryAgainError);
  CHECK(fs::exists(files.folder.path() / "embeddings/Ben.safetensors"));
}
