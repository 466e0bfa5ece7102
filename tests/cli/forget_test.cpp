#include <fcntl.h>
#include <stdlib.h>

#include "support/team_place.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::read_bytes;
using sdx::test::RunResult;
using sdx::test::TeamPlace;
namespace fs = std::filesystem;

namespace {

bool mentions(const fs::path& folder, const std::string& text) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().string().find(text) != std::string::npos) return true;
    if (entry.is_regular_file() && read_bytes(entry.path()).find(text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

RunResult forget(const TeamPlace& place, std::vector<std::string> arguments) {
  sdx::test::Run command;
  command.tool = "sdx-roster";
  command.folder = place.path();
  command.arguments = {"forget", "team"};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  return sdx::test::run(command);
}

/// What `sdx-roster forget` does at a terminal where somebody has typed `answer`.
RunResult forget_at_terminal(const TeamPlace& place, const std::string& answer) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const std::string other_end = ::ptsname(terminal);
  sdx::test::Run command;
  command.tool = "sdx-roster";
  command.folder = place.path();
  command.arguments = {"forget", "team", "Ben"};
  command.prepare = [&] {
    const int stream = ::open(other_end.c_str(), O_RDWR | O_NOCTTY);
    ::dup2(stream, STDIN_FILENO);
    ::dup2(stream, STDERR_FILENO);
  };
  const std::string typed = answer + "\n";
  REQUIRE(::write(terminal, typed.data(), typed.size()) == static_cast<ssize_t>(typed.size()));
  const int keeps_it_open = ::open(other_end.c_str(), O_RDWR | O_NOCTTY);
  const RunResult result = sdx::test::run(command);
  ::close(keeps_it_open);
  ::close(terminal);
  return result;
}

/// A team with one picture of each of two people, made by hand: what forgetting needs.
void make_small_team(const TeamPlace& place) {
  for (const char* file :
       {"team/roster.json", "team/embeddings/Ada.safetensors", "team/embeddings/Ben.safetensors",
        "team/people/Ada/record.json", "team/people/Ben/record.json", "team/pictures/Ada/1.png",
        "team/pictures/Ada Ben/2.png", "team/pictures/holiday/mine.png", "precious/portrait.png"}) {
    fs::create_directories((place.path() / file).parent_path());
    place.write(file, "{}");
  }
}

}  // namespace

TEST_CASE("roster: forgetting a person leaves nothing of them, and lists it") {
  const TeamPlace place;
  place.write("team.csv", "name,portraits\nAda,ada\nBenedikta,ben\nEve,eve\n");
  place.write("prompts.txt", "Robot {name}\n<Ada> and <Benedikta>\n");
  REQUIRE(place.run_team().exit_code == 0);
  sdx::test::Run command;
  command.tool = "sdx-roster";
  command.folder = place.path();
  command.arguments = {"forget", "team", "Benedikta", "--yes"};
  const RunResult result = sdx::test::run(command);
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, ContainsSubstring("team/embeddings/Benedikta.safetensors\n") &&
                             ContainsSubstring("team/people/Benedikta/record.json\n") &&
                             ContainsSubstring("team/pictures/Ada Benedikta/"));
  CHECK_FALSE(mentions(place.path() / "team", "Benedikta"));
  CHECK(mentions(place.path() / "team", "Ada"));
  CHECK(sdx::test::run(command).exit_code == 66);
}

TEST_CASE("forget: a script must say --yes") {
  const TeamPlace place;
  make_small_team(place);
  const RunResult result = forget(place, {"Ben"});
  CHECK(result.exit_code == 64);
  CHECK(result.out ==
        "team/embeddings/Ben.safetensors\nteam/people/Ben/record.json\n"
        "team/pictures/Ada Ben/2.png\n");
  CHECK_THAT(result.err, ContainsSubstring("nobody can be asked here") &&
                             ContainsSubstring("--yes says that the 3 files of <Ben> shall go"));
  CHECK(fs::exists(place.path() / "team/people/Ben/record.json"));
}

TEST_CASE("forget: a person at a terminal is asked, and only a yes removes") {
  const TeamPlace place;
  make_small_team(place);
  for (const char* answer : {"", "n", "no", "Ben", "yeah no"}) {
    INFO(answer);
    CHECK(forget_at_terminal(place, answer).exit_code == 0);
    CHECK(fs::exists(place.path() / "team/people/Ben/record.json"));
  }
  CHECK(forget_at_terminal(place, "y").exit_code == 0);
  CHECK_FALSE(fs::exists(place.path() / "team/people/Ben"));
  CHECK_FALSE(fs::exists(place.path() / "team/pictures/Ada Ben"));
  CHECK(fs::exists(place.path() / "team/people/Ada/record.json"));
}

TEST_CASE("forget: whoever is nobody of the team loses nothing") {
  const TeamPlace place;
  make_small_team(place);
  const RunResult result = forget(place, {"holiday", "--yes"});
  CHECK(result.exit_code == 66);
  CHECK_THAT(result.err, ContainsSubstring("holds nothing of \"holiday\"; the people there are "
                                           "Ada, Ben"));
  CHECK(fs::exists(place.path() / "team/pictures/holiday/mine.png"));
}

TEST_CASE("forget: no symbolic link is followed") {
  const TeamPlace place;
  make_small_team(place);
  SECTION("one inside is removed itself") {
    fs::create_directory_symlink(place.path() / "precious",
                                 place.path() / "team/people/Ben/portraits");
    fs::create_directory_symlink(place.path() / "precious", place.path() / "team/pictures/Ben");
    CHECK(forget(place, {"Ben", "--yes"}).exit_code == 0);
    CHECK_FALSE(fs::exists(fs::symlink_status(place.path() / "team/pictures/Ben")));
  }
  SECTION("one on the way stops") {
    fs::create_directories(place.path() / "elsewhere/Ben");
    place.write("elsewhere/Ben/mine.txt", "x");
    fs::rename(place.path() / "team/people", place.path() / "former");
    fs::create_directory_symlink(place.path() / "elsewhere", place.path() / "team/people");
    const RunResult result = forget(place, {"Ben", "--yes"});
    CHECK(result.exit_code == 65);
    CHECK_THAT(result.err, ContainsSubstring("team/people: is a symbolic link"));
    CHECK(fs::exists(place.path() / "elsewhere/Ben/mine.txt"));
    CHECK(fs::exists(place.path() / "team/embeddings/Ben.safetensors"));
  }
  CHECK(fs::exists(place.path() / "precious/portrait.png"));
}
