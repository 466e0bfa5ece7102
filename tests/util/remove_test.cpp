#include "sdx/util/remove.h"

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::catch_message;
using sdx::test::TempFolder;
using Paths = std::vector<std::filesystem::path>;
namespace fs = std::filesystem;

namespace {

/// team/ with two people, and beside it a folder that must stay.
struct Place {
  Place() {
    for (const char* file : {"team/people/Ada/record.json", "team/people/Ada/training/1/a.bin",
                             "team/people/Ben/record.json", "precious/portrait.jpg"}) {
      fs::create_directories((folder.path() / file).parent_path());
      sdx::write_file_atomically(folder.path() / file, "x");
    }
  }
  bool has(const std::string& file) const { return fs::exists(folder.path() / file); }
  fs::path team() const { return folder.path() / "team"; }
  TempFolder folder;
};

}  // namespace

TEST_CASE("remove: a tree goes, what is beside it stays", "[util]") {
  const Place place;
  const Paths files = {"people/Ada/record.json", "people/Ada/training/1/a.bin"};
  CHECK(sdx::list_inside(place.team(), "people/Ada") == files);
  CHECK(place.has("team/people/Ada/record.json"));
  CHECK(sdx::remove_inside(place.team(), "people/Ada") == files);
  CHECK_FALSE(place.has("team/people/Ada"));
  CHECK(place.has("team/people/Ben/record.json"));
  CHECK(sdx::remove_inside(place.team(), "people/Ada").empty());
  CHECK(sdx::remove_inside(place.team(), "nothing/here/at/all").empty());
  CHECK(sdx::remove_inside(place.team(), "people/Ben/record.json") ==
        Paths{"people/Ben/record.json"});
}

TEST_CASE("remove: no path leads out of the root", "[util]") {
  const Place place;
  const std::string absolute = (place.folder.path() / "precious").string();
  for (const std::string& within :
       {std::string(), std::string("."), std::string(".."), std::string("../precious"), absolute,
        std::string("people/../../precious"), std::string("people/Ada/.."), std::string("people/"),
        std::string("people/./Ada"), std::string("people/Ada\0x", 12)}) {
    INFO(within);
    CHECK_THROWS_AS(sdx::remove_inside(place.team(), within), sdx::UsageError);
    CHECK_THROWS_AS(sdx::list_inside(place.team(), within), sdx::UsageError);
  }
  CHECK(place.has("precious/portrait.jpg"));
  CHECK(place.has("team/people/Ada/record.json"));
}

TEST_CASE("remove: a link is removed, what it points to is not", "[util]") {
  const Place place;
  fs::create_directory_symlink(place.folder.path() / "precious",
                               place.team() / "people/Ada/portraits");
  fs::create_symlink(place.folder.path() / "precious/portrait.jpg",
                     place.team() / "people/Ada/one.jpg");
  CHECK(sdx::remove_inside(place.team(), "people/Ada") ==
        Paths{"people/Ada/one.jpg", "people/Ada/portraits", "people/Ada/record.json",
              "people/Ada/training/1/a.bin"});
  CHECK(place.has("precious/portrait.jpg"));

  fs::create_directory_symlink(place.folder.path() / "precious", place.team() / "people/Eve");
  CHECK(sdx::remove_inside(place.team(), "people/Eve") == Paths{"people/Eve"});
  CHECK(place.has("precious/portrait.jpg"));
}

TEST_CASE("remove: a folder on the way that is a link is refused", "[util]") {
  const Place place;
  fs::create_directories(place.folder.path() / "elsewhere/Ada");
  sdx::write_file_atomically(place.folder.path() / "elsewhere/Ada/mine.txt", "x");
  fs::rename(place.team() / "people", place.team() / "former");
  fs::create_directory_symlink(place.folder.path() / "elsewhere", place.team() / "people");
  CHECK(catch_message<sdx::DataError>([&] { sdx::remove_inside(place.team(), "people/Ada"); }) ==
        (place.team() / "people").string() +
            ": is a symbolic link or no folder; nothing behind it is removed");
  CHECK(place.has("elsewhere/Ada/mine.txt"));

  // The root itself was typed by a person, and may be a link.
  fs::create_directory_symlink(place.team(), place.folder.path() / "link");
  CHECK(sdx::remove_inside(place.folder.path() / "link", "former/Ada/record.json").size() == 1);
}

TEST_CASE("remove: a name becomes part of a path only as one component", "[util]") {
  CHECK(sdx::join_inside("models", "tiny", "the model") == fs::path("models/tiny"));
  CHECK(sdx::join_inside("models", "a b..c", "the model") == fs::path("models/a b..c"));
  for (const char* name : {"", ".", "..", "/", "/etc", "a/b", "../a", "a/"}) {
    INFO(name);
    CHECK_THROWS_AS(sdx::join_inside("models", name, "the model"), sdx::UsageError);
  }
}
