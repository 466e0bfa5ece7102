#include <sys/stat.h>

#include "sdx/roster/roster.h"
#include "support/child.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

/// A member whose portraits are in `folder` beside the roster team.csv of `place`.
Member member_in(const TempFolder& place, const std::string& folder) {
  Member member;
  member.name = "Ada";
  member.portraits = place.path() / folder;
  member.line = 7;
  return member;
}

RosterProblem find_problem(const TempFolder& place, const std::string& folder) {
  const auto problem = check_portraits(member_in(place, folder), place.file("team.csv"));
  REQUIRE(problem);
  CHECK(problem->where == "team.csv, line 7");
  CHECK(problem->name == "Ada");
  return *problem;
}

}  // namespace

TEST_CASE("roster: three pictures by signature are enough", "[roster]") {
  const TempFolder place;
  fs::create_directory(place.file("ada"));
  place.file("ada/a.png", jpeg_bytes(plain_image(8, 8, kRed)));
  place.file("ada/b", "\x89PNG\r\n\x1a\n");
  place.file("ada/c.txt", "RIFF....WEBP");
  CHECK_FALSE(check_portraits(member_in(place, "ada"), place.file("team.csv")));
}

TEST_CASE("roster: too few pictures are counted", "[roster]") {
  const TempFolder place;
  fs::create_directories(place.file("ada/sub.png"));
  for (const char* file : {"a.png", "b.png", ".hidden.png", "sub.png/c.png", "sub.png/d.png"}) {
    place.file(std::string("ada/") + file, "\x89PNG\r\n\x1a\n");
  }
  place.file("ada/jxl.png", "\xFF\x0A");
  place.file("ada/empty.png", "");
  fs::create_symlink("nowhere", place.file("ada/link.png"));
  REQUIRE(::mkfifo(place.file("ada/fifo.png").c_str(), 0600) == 0);
  const RosterProblem problem = find_problem(place, "ada");
  CHECK(problem.code == ExitCode::kMissingInput);
  CHECK(
      problem.text ==
      "ada: expected at least 3 pictures (PNG, JPEG, WebP, HEIC, AVIF, TIFF, BMP or GIF), found 2");
}

TEST_CASE("roster: portraits that are no folder are missing", "[roster]") {
  const TempFolder place;
  place.file("file.png", "\x89PNG\r\n\x1a\n");
  const RosterProblem missing = find_problem(place, "a/b");
  CHECK(missing.code == ExitCode::kMissingInput);
  CHECK(missing.text == "a/b: no such folder of portraits");
  const RosterProblem file = find_problem(place, "file.png");
  CHECK(file.code == ExitCode::kMissingInput);
  CHECK(file.text == "file.png: expected a folder of portraits, found a file");
}

TEST_CASE("roster: a loop of links cannot be read", "[roster]") {
  const TempFolder place;
  fs::create_directory_symlink("loop", place.file("loop"));
  CHECK(find_problem(place, "loop").code == ExitCode::kIo);
}

TEST_CASE("roster: a folder beyond the roster's is shown whole", "[roster]") {
  const TempFolder place;
  const TempFolder other;
  Member member = member_in(place, "x");
  member.portraits = other.path() / "ada";
  const auto problem = check_portraits(member, place.file("team.json"));
  REQUIRE(problem);
  CHECK(problem->text == member.portraits.string() + ": no such folder of portraits");
  CHECK(problem->where == "team.json, entry 7");
}

TEST_CASE("roster: portraits without the right to read are a matter of permission", "[roster]") {
  const TempFolder place;
  fs::permissions(place.path(), fs::perms(0755));
  fs::create_directories(place.file("closed/in"));
  fs::create_directory(place.file("files"));
  for (const char* file : {"a.png", "b.png", "c.png"}) {
    place.file(std::string("files/") + file, "\x89PNG\r\n\x1a\n");
  }
  fs::permissions(place.file("files/a.png"), fs::perms::none);
  fs::permissions(place.file("closed"), fs::perms::none);
  const auto catch_code = [&place](const std::string& folder, std::string_view text) {
    return run_for_exit_code([&] {
      become_nobody();
      const auto problem = check_portraits(member_in(place, folder), place.file("team.csv"));
      if (!problem || !contains(problem->text, text)) return 1;
      return static_cast<int>(problem->code);
    });
  };
  CHECK(catch_code("closed", "closed: the folder of portraits must not be read") == 77);
  CHECK(catch_code("closed/in", "closed/in: the folder of portraits must not be read") == 77);
  CHECK(catch_code("files", "found 2 and 1 files that must not be read") == 77);
}
