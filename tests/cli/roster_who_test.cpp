// sdx-roster check and sdx-roster who on the built-in model's people.

#include <fstream>
#include <sstream>

#include "sdx/image/png.h"
#include "sdx/util/json.h"
#include "support/image_files.h"
#include "support/mini_bundle.h"
#include "support/workplace.h"

#include "support/catch.h"

using namespace sdx::test;

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A team of the built-in model's people in a folder of its own, as nobody would want it.
class Team {
 public:
  explicit Team(const std::vector<std::string>& people) {
    std::string roster = "name,portraits\n";
    for (const std::string& name : people) {
      fs::copy(demo_folder() / name, path() / name);
      roster += name + "," + name + "\n";
    }
    write_roster(roster);
  }

  const fs::path& path() const { return folder_.path(); }

  void write_roster(const std::string& text) const {
    std::ofstream(path() / "team.csv", std::ios::trunc) << text;
  }

  RunResult roster(std::vector<std::string> arguments) const {
    Run command;
    command.tool = "sdx-roster";
    command.arguments = std::move(arguments);
    command.folder = path();
    command.prepare = [] {
      ::unsetenv("SDX_FACE_NETWORK");
      ::unsetenv("SDX_MODEL");
    };
    return run(command);
  }

 private:
  TempFolder folder_;
};

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Everything below a folder, to see that nothing is written.
std::vector<fs::path> all_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("cli: sdx-roster check finds nothing in a team in order") {
  const Team team({"ada", "ben", "chloe", "david", "emma"});
  const RunResult result = team.roster({"check", "team.csv"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, ContainsSubstring("Looking at faces 30/30"));
  CHECK_THAT(result.err,
             ContainsSubstring("5 people, 30 pictures, seen by the model's own network, "
                               "which knows its cartoons only (one person: cosine 0.60 or more)"));
}

TEST_CASE("cli: sdx-roster check tells whose pictures lie where they should not") {
  const Team team({"ada", "ben", "chloe", "david"});
  fs::rename(team.path() / "ben/03.png", team.path() / "ada/from-ben.png");
  fs::copy(demo_folder() / "emma/01.png", team.path() / "ben/someone.png");
  fs::create_directory(team.path() / "bea");
  for (const char* image : {"04.png", "05.png", "06.png"}) {
    fs::rename(team.path() / "chloe" / image, team.path() / "bea" / image);
  }
  fs::resize_file(team.path() / "david/02.png", 4000);
  team.write_roster(
      "name,portraits\nAda,ada\nBen,ben\nChloe,chloe\nBea,bea\nDavid,david\nEve,nowhere\n");
  const auto before = all_files(team.path());
  const RunResult result = team.roster({"check", "team.csv"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 65);
  const auto lines = split_lines(result.out);
  REQUIRE(lines.size() == 4);
  CHECK_THAT(lines[0],
             Catch::Matchers::StartsWith("<Ada>: ada/from-ben.png shows <Ben>, it seems: cosine "));
  CHECK_THAT(lines[0], ContainsSubstring(" with the rest of its own"));
  CHECK_THAT(lines[1], Catch::Matchers::StartsWith("<Ben>: ben/someone.png shows someone else, who "
                                                   "is nobody of the team: cosine "));
  CHECK_THAT(lines[2], Catch::Matchers::StartsWith("<Chloe> and <Bea> are one person, it seems: "));
  CHECK_THAT(lines[3], Catch::Matchers::StartsWith("<David>: david/02.png: truncated"));
  CHECK_THAT(result.err,
             ContainsSubstring("team.csv, line 7, Eve: nowhere: no such folder of portraits"));
  CHECK_THAT(result.err,
             ContainsSubstring("error: team.csv: 4 findings, and 1 row that cannot be used"));
  CHECK(all_files(team.path()) == before);
}

TEST_CASE("cli: sdx-roster check gives a JSON object for each finding") {
  const Team team({"ada", "ben", "chloe"});
  fs::rename(team.path() / "ben/03.png", team.path() / "ada/03b.png");
  const RunResult result = team.roster({"check", "team.csv", "--json", "-q"});
  INFO(result.err);
  CHECK(result.exit_code == 65);
  const auto lines = split_lines(result.out);
  REQUIRE(lines.size() == 1);
  const sdx::Json finding = sdx::Json::parse(lines[0]);
  CHECK(finding["finding"] == "wrong_folder");
  CHECK(finding["person"] == "ada");
  CHECK(finding["other"] == "ben");
  CHECK(finding["place"] == "ada/03b.png");
  CHECK(finding["own_cosine"] < 0.3);
  CHECK(finding["other_cosine"] > 0.9);
  CHECK_THAT(finding["text"].get<std::string>(), ContainsSubstring("shows <ben>, it seems"));
  CHECK_THAT(result.err, ContainsSubstring("1 finding\n"));
}

TEST_CASE("cli: nobody looks at the faces of people who gave no consent") {
  const Team team({"ada", "ben", "chloe"});
  fs::rename(team.path() / "ben/03.png", team.path() / "ada/03b.png");
  team.write_roster("name,portraits,consent\nada,ada,no\nben,ben,yes\nchloe,chloe,yes\n");
  const RunResult result = team.roster({"check", "team.csv"});
  INFO(result.err);
  CHECK(result.exit_code == 65);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, ContainsSubstring("team.csv, line 2, ada: no consent is recorded: "));
  CHECK_THAT(result.err, ContainsSubstring("2 people, 11 pictures"));
}

TEST_CASE("cli: where no network knows the faces, the missing one is named") {
  const Team team({"ada", "ben", "chloe"});
  for (const char* name : {"ben", "chloe"}) {  // four people in each folder
    for (const auto& [person, image] :
         {std::pair("ada", "02.png"), {"david", "03.png"}, {"emma", "04.png"}}) {
      fs::copy(demo_folder() / person / image, team.path() / name / image,
               fs::copy_options::overwrite_existing);
    }
  }
  const RunResult result = team.roster({"check", "team.csv"});
  INFO(result.err);
  CHECK(result.exit_code == 69);
  CHECK_THAT(result.err, ContainsSubstring("team.csv: no network here knows the faces in most "
                                           "folders, the model's own knows its cartoons only. "
                                           "Photographs need the face network of dlib: "));
}

TEST_CASE("cli: sdx-roster who names the nearest people, with their distances") {
  const Team team({"ada", "ben", "chloe", "david", "emma"});
  fs::rename(team.path() / "chloe/06.png", team.path() / "photo.png");
  const auto before = all_files(team.path());
  const RunResult result = team.roster({"who", "photo.png", "--team", "team.csv"});
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
  const auto lines = split_lines(result.out);
  REQUIRE(lines.size() == 5);
  CHECK_THAT(lines[0], Catch::Matchers::StartsWith("<chloe>: 0.0"));
  CHECK_THAT(lines[0], Catch::Matchers::EndsWith(", the same person"));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    CHECK_THAT(lines[i], Catch::Matchers::EndsWith(", someone else"));
  }
  CHECK_THAT(result.err, ContainsSubstring("Distances are 1 - cosine, by the model's own network"));
  CHECK(all_files(team.path()) == before);

  const RunResult json = team.roster({"who", "photo.png", "--team", "team.csv", "--json", "-q"});
  CHECK(json.err.empty());
  const auto objects = split_lines(json.out);
  REQUIRE(objects.size() == 5);
  const sdx::Json nearest = sdx::Json::parse(objects[0]);
  CHECK(nearest["person"] == "chloe");
  CHECK(nearest["same_person"] == true);
  CHECK(nearest["distance"] < 0.1);
}

TEST_CASE("cli: the folder of a team stands for its roster and its model") {
  const Team team({"ada", "ben", "chloe"});
  fs::create_directory(team.path() / "team");
  const auto write_settings = [&team](const std::string& model) {
    std::ofstream(team.path() / "team/roster.json", std::ios::trunc)
        << R"({"roster": "../team.csv", "model": ")" << model << R"("})";
  };
  write_settings("mini");
  const RunResult who = team.roster({"who", "ben/01.png", "--team", "team"});
  INFO(who.err);
  CHECK(who.exit_code == 0);
  CHECK_THAT(who.out, Catch::Matchers::StartsWith("<ben>: 0.0"));
  CHECK(team.roster({"check", "team"}).exit_code == 0);
  write_settings("nothing-here");
  CHECK(team.roster({"check", "team"}).exit_code != 0);
  CHECK(team.roster({"check", "team", "--model", "mini"}).exit_code == 0);
  fs::remove(team.path() / "team/roster.json");
  const RunResult no_team = team.roster({"check", "team"});
  CHECK(no_team.exit_code == 66);
  CHECK_THAT(no_team.err, ContainsSubstring("team: is no team's folder"));
}

TEST_CASE("cli: sdx-roster who refuses what is no photograph") {
  const Team team({"ada", "ben", "chloe"});
  std::ofstream(team.path() / "photo.jpg") << "a text";
  const RunResult text = team.roster({"who", "photo.jpg", "--team", "team.csv"});
  CHECK(text.exit_code == 65);
  CHECK_THAT(text.err, ContainsSubstring("error: photo.jpg: "));
  const RunResult missing = team.roster({"who", "nothing.jpg", "--team", "team.csv"});
  CHECK(missing.exit_code == 66);
  CHECK_THAT(missing.err, ContainsSubstring("nothing.jpg"));
  CHECK(team.roster({"who", "ada/01.png"}).exit_code == 64);
  CHECK(team.roster({"check"}).exit_code == 64);
}
