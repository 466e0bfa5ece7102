#include "sdx/roster/prompt_packs.h"

#include <algorithm>
#include <cstdlib>

#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/util/error.h"
#include "support/child.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

/// The toolkit's data folder is the test's as long as this lives.
class DataFolder {
 public:
  DataFolder() {
    fs::create_directory(folder_.file("prompts"));
    ::setenv("SDX_DATA", folder_.path().c_str(), 1);
  }
  ~DataFolder() { ::unsetenv("SDX_DATA"); }
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  fs::path add_pack(const std::string& name) const {
    return folder_.file("prompts/" + name, "{name}\n");
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

}  // namespace

TEST_CASE("roster: prompts are a file or a pack", "[roster]") {
  const DataFolder data;
  const TempFolder folder;
  const fs::path pack = data.add_pack("fantasy.txt");
  const fs::path own = folder.file("own.txt", "{name}\n");
  const fs::path bare = folder.file("bare", "{name}\n");
  CHECK(find_prompts(own.string()) == own);
  CHECK(find_prompts(bare.string()) == bare);
  CHECK(find_prompts("fantasy") == pack);
}

TEST_CASE("roster: a file goes before a pack, a folder does not", "[roster]") {
  const DataFolder data;
  const TempFolder folder;
  const fs::path pack = data.add_pack("fantasy.txt");
  data.add_pack("styles.txt");
  folder.file("fantasy", "{name}\n");
  fs::create_directory(folder.file("styles"));
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const fs::path found = find_prompts("fantasy");
  const fs::path beside_folder = find_prompts("styles");
  fs::current_path(before);
  CHECK(found == "fantasy");
  CHECK(beside_folder == data.path() / "prompts/styles.txt");
}

TEST_CASE("roster: an unknown pack is refused with those that there are", "[roster]") {
  const DataFolder data;
  data.add_pack("styles.txt");
  data.add_pack("fantasy.txt");
  data.add_pack("notes.md");
  CHECK(
      catch_message<UsageError>([] { find_prompts("fantsy"); }) ==
      "prompts \"fantsy\": neither a file nor a pack of this name; the packs are fantasy, styles");
  CHECK_THROWS_AS(find_prompts(""), UsageError);
  CHECK_THROWS_AS(find_prompts("."), UsageError);
  fs::remove_all(data.path() / "prompts");
  CHECK(
      contains(catch_message<UsageError>([] { find_prompts("fantsy"); }), "there are no packs in"));
}

TEST_CASE("roster: a path without a file is a missing input", "[roster]") {
  const DataFolder data;
  data.add_pack("styles.txt");
  const TempFolder folder;
  const std::string absent = folder.file("absent").string();
  CHECK(catch_message<MissingInputError>([&] { find_prompts(absent); }) ==
        absent + ": no such file of prompts; the packs are styles");
  CHECK_THROWS_AS(find_prompts("styles.txt"), MissingInputError);
  CHECK(contains(catch_message<MissingInputError>([&] { find_prompts(folder.path().string()); }),
                 "found a folder"));
}

TEST_CASE("roster: a path that may not be looked at is a matter of permission", "[roster]") {
  const DataFolder data;
  const TempFolder folder;
  fs::create_directory(folder.file("closed"));
  folder.file("closed/own.txt", "{name}\n");
  fs::permissions(folder.path(), fs::perms(0755));
  fs::permissions(folder.file("closed"), fs::perms::none);
  CHECK(run_for_exit_code([&] {
          become_nobody();
          find_prompts(folder.file("closed/own.txt").string());
          return 0;
        }) == 77);
}

TEST_CASE("roster: paths are told from packs", "[roster]") {
  CHECK(is_prompt_path("a/b"));
  CHECK(is_prompt_path("a.txt"));
  CHECK_FALSE(is_prompt_path("fantasy"));
  CHECK_FALSE(is_prompt_path("a.txt.old"));
}

TEST_CASE("roster: every pack has eight prompts with a place for one name", "[roster]") {
  const fs::path folder = fs::path(SDX_SOURCE_DIR) / "configs/prompts";
  for (const char* pack : {"portraits", "holidays", "fantasy", "styles", "statcrew"}) {
    INFO(pack);
    auto prompts = read_prompt_file(folder / (std::string(pack) + ".txt"));
    CHECK(prompts.size() == 8);
    for (const std::string& prompt : fill_names(prompts, {"Ada"})) {
      INFO(prompt);
      CHECK(placeholder_names(prompt) == std::vector<std::string>{"Ada"});
      CHECK_FALSE(contains(prompt, "{"));
    }
    std::sort(prompts.begin(), prompts.end());
    CHECK(std::unique(prompts.begin(), prompts.end()) == prompts.end());
  }
}
