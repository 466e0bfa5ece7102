#include "model/import/staging_folder.h"

#include <sys/stat.h>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/child.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

namespace {

/// A folder that is a bundle as far as can be told from outside.
void make_bundle(const fs::path& folder, const std::string& content = "old") {
  fs::create_directories(folder);
  sdx::write_file_atomically(folder / "unet.ts", content);
  sdx::write_file_atomically(folder / "bundle.json",
                             R"({"format": 2, "sha256": {"unet.ts": "abc"}})");
}

std::string refusal(const fs::path& folder) {
  return sdx::test::catch_message<sdx::CannotCreateError>(
      [&] { sdx::require_replaceable(folder); });
}

int mode(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return static_cast<int>(status.st_mode & 07777);
}

}  // namespace

TEST_CASE("model: a staging folder appears whole, and is gone unless it is committed") {
  const TempFolder folder;
  const fs::path destination = folder.path() / "models/new";
  {
    const sdx::StagingFolder staging(destination);
    CHECK(staging.path().filename() == ".new.partial");
    make_bundle(staging.path());
  }
  CHECK(sdx::test::entries_in(folder.path() / "models") == 0);
  {
    sdx::StagingFolder staging(destination);
    make_bundle(staging.path(), "new");
    staging.commit(/*replaces=*/false);
  }
  CHECK(sdx::test::read_bytes(destination / "unet.ts") == "new");
  CHECK(sdx::test::entries_in(folder.path() / "models") == 1);
  // What came there meanwhile stays.
  sdx::StagingFolder staging(destination);
  CHECK_THROWS_AS(staging.commit(/*replaces=*/false), sdx::CannotCreateError);
  CHECK(sdx::test::read_bytes(destination / "unet.ts") == "new");
}

TEST_CASE("model: one process at a time makes a bundle of one name") {
  const TempFolder folder;
  const fs::path destination = folder.path() / "new";
  {
    const sdx::StagingFolder staging(destination);
    sdx::write_file_atomically(staging.path() / "mine", "1");
    CHECK_THAT(sdx::test::catch_message<sdx::TryAgainError>(
                   [&] { const sdx::StagingFolder second(destination); }),
               ContainsSubstring("another process makes this model"));
    CHECK(fs::exists(staging.path() / "mine"));
    const sdx::StagingFolder other(folder.path() / "other");
  }
  // What a process that was killed has left is no lock, and goes.
  fs::create_directories(folder.path() / ".new.partial/tokenizer");
  sdx::write_file_atomically(folder.path() / ".new.partial/tokenizer/vocab.json", "{}");
  const sdx::StagingFolder staging(destination);
  CHECK(sdx::test::entries_in(staging.path()) == 0);
}

TEST_CASE("model: an older bundle is replaced whole, and nothing of it stays") {
  const TempFolder folder;
  make_bundle(folder.path() / "m/tokenizer");  // folders in it go, too
  fs::remove(folder.path() / "m/tokenizer/bundle.json");
  make_bundle(folder.path() / "m");
  sdx::write_file_atomically(
      folder.path() / "m/bundle.json",
      R"({"format": 2, "sha256": {"unet.ts": "", "tokenizer/unet.ts": ""}})");
  sdx::StagingFolder staging(folder.path() / "m");
  make_bundle(staging.path(), "new");
  staging.commit(/*replaces=*/true);
  CHECK(sdx::test::read_bytes(folder.path() / "m/unet.ts") == "new");
  CHECK_FALSE(fs::exists(folder.path() / "m/tokenizer"));
  CHECK(sdx::test::entries_in(folder.path()) == 1);
}

TEST_CASE("model: others may read a bundle as the umask says") {
  const TempFolder folder;
  for (const mode_t mask : {022U, 077U, 027U}) {
    const mode_t before = ::umask(mask);
    const fs::path models = folder.path() / ("models-" + std::to_string(mask));
    {
      sdx::StagingFolder staging(models / "new");
      fs::create_directory(staging.path() / "tokenizer");
      make_bundle(staging.path());
      sdx::write_file_atomically(staging.path() / "tokenizer/vocab.json", "{}");
      staging.commit(/*replaces=*/false);
    }
    ::umask(before);
    CHECK(mode(models) == static_cast<int>(0777 & ~mask));
    CHECK(mode(models / "new") == static_cast<int>(0777 & ~mask));
    CHECK(mode(models / "new/tokenizer") == static_cast<int>(0777 & ~mask));
    CHECK(mode(models / "new/unet.ts") == static_cast<int>(0666 & ~mask));
    CHECK(mode(models / "new/tokenizer/vocab.json") == static_cast<int>(0666 & ~mask));
  }
}

TEST_CASE("model: only what is proved to be a bundle is replaced") {
  const TempFolder folder;
  const fs::path place = folder.path() / "place";
  sdx::write_file_atomically(place, "a file");
  CHECK_THAT(refusal(place), ContainsSubstring("is no folder"));
  fs::remove(place);
  fs::create_directory(place);
  CHECK_NOTHROW(sdx::require_replaceable(place));  // nothing is lost
  sdx::write_file_atomically(place / "thesis.txt", "years");
  CHECK_THAT(refusal(place), ContainsSubstring("has no bundle.json"));
  fs::remove(place / "thesis.txt");
  sdx::write_file_atomically(place / "bundle.json", "{");
  CHECK_THAT(refusal(place), ContainsSubstring("is no JSON"));
  for (const char* manifest : {"[]", R"({"format": 2})", R"({"format": 2, "sha256": []})"}) {
    sdx::write_file_atomically(place / "bundle.json", manifest);
    CHECK_THAT(refusal(place), ContainsSubstring("lists no files"));
  }
  make_bundle(place);
  sdx::require_replaceable(place);
  sdx::write_file_atomically(place / "notes.txt", "mine");
  CHECK_THAT(refusal(place), ContainsSubstring("holds notes.txt, which is no part of a model"));
  fs::remove(place / "notes.txt");
  fs::create_directory_symlink("/", place / "root");
  CHECK_THAT(refusal(place), ContainsSubstring("holds root"));
  fs::remove(place / "root");
  fs::create_directory_symlink(place, folder.path() / "link");
  CHECK_THAT(refusal(folder.path() / "link"), ContainsSubstring("is a symbolic link"));
  CHECK(sdx::is_taken(folder.path() / "link"));
  fs::create_symlink("nowhere", folder.path() / "dangling");
  CHECK(sdx::is_taken(folder.path() / "dangling"));
  CHECK_FALSE(sdx::is_taken(folder.path() / "absent"));
}

TEST_CASE("model: a bundle cannot be made where nobody may write") {
  const TempFolder folder;
  fs::permissions(folder.path(), fs::perms(0555));
  CHECK(sdx::test::run_for_exit_code([&] {
          sdx::test::become_nobody();
          const sdx::StagingFolder staging(folder.path() / "models/new");
          return 0;
        }) == 77);
  fs::permissions(folder.path(), fs::perms(0755));
  sdx::write_file_atomically(folder.path() / "file", "");
  CHECK_THROWS_AS(sdx::StagingFolder(folder.path() / "file/new"), sdx::CannotCreateError);
}
