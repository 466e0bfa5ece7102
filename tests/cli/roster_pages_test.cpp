// A person's page and the portraits of a team's gallery, by the real program.

#include "sdx/image/decode.h"
#include "sdx/util/json.h"
#include "support/team_place.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::read_bytes;
using sdx::test::RunResult;
using sdx::test::TeamPlace;
namespace fs = std::filesystem;

namespace {

/// sdx-roster without a model, which `page` and `forget` do not take.
RunResult run_roster(const TeamPlace& place, std::vector<std::string> arguments) {
  sdx::test::Run command;
  command.tool = "sdx-roster";
  command.arguments = std::move(arguments);
  command.folder = place.path();
  return sdx::test::run(command);
}

sdx::Json read_data(const fs::path& page) {
  const std::string html = read_bytes(page);
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const std::size_t at = html.find(begin) + begin.size();
  return sdx::Json::parse(html.substr(at, html.find("</script>", at) - at));
}

sdx::Json find_portraits(const fs::path& page) {
  sdx::Json found = sdx::Json::object();
  const sdx::Json data = read_data(page);
  for (const sdx::Json& person : data["people"]) {
    if (person.contains("portrait")) found[person["name"].get<std::string>()] = person["portrait"];
  }
  return found;
}

}  // namespace

TEST_CASE("roster: a person's page is one file without anybody else") {
  const TeamPlace place;
  place.write("team.csv",
              "name,portraits,show_portrait\nAda,ada,yes\nBenedikta,ben,yes\nZo\u00eb,eve,\n");
  place.write("prompts.txt", "{name} in the snow\nRobot {name}\n<Ada> and <Benedikta>\n");
  REQUIRE(place.run_team().exit_code == 0);

  const RunResult result = run_roster(place, {"page", "team", "Ada"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.out == "Ada.html\n");
  CHECK_THAT(result.err, ContainsSubstring("2 pictures of <Ada>"));
  const std::string page = read_bytes(place.path() / "Ada.html");
  CHECK(page.find("Benedikta") == std::string::npos);
  CHECK(page.find("Zo\\u00eb") == std::string::npos);
  CHECK(page.find(place.path().string()) == std::string::npos);
  const sdx::Json data = read_data(place.path() / "Ada.html");
  CHECK(data["pictures"].size() == 2);
  CHECK_THAT(data["people"][0]["portrait"].get<std::string>(),
             ContainsSubstring("data:image/webp;base64,"));

  // It is not replaced unasked, and comes out the same.
  CHECK(run_roster(place, {"page", "team", "Ada"}).exit_code == 73);
  CHECK(run_roster(place, {"page", "team", "Ada", "--force"}).exit_code == 0);
  CHECK(read_bytes(place.path() / "Ada.html") == page);

  const RunResult other =
      run_roster(place, {"page", "team", "Zo\u00eb", "--out", "z.html", "--json"});
  REQUIRE(other.exit_code == 0);
  CHECK(sdx::Json::parse(other.out) == sdx::Json{{"page", "z.html"}, {"pictures", 2}});
  CHECK_FALSE(read_data(place.path() / "z.html")["people"][0].contains("portrait"));

  const RunResult nobody = run_roster(place, {"page", "team", "Eve"});
  CHECK(nobody.exit_code == 66);
  CHECK_THAT(nobody.err, ContainsSubstring("nobody called \"Eve\"; the people there are Ada, "));
  CHECK(run_roster(place, {"page", "team", "../Ada"}).exit_code == 64);
  const RunResult no_team = run_roster(place, {"page", "ada", "Ada", "--out", "x.html"});
  CHECK(no_team.exit_code == 66);
  CHECK_THAT(no_team.err, ContainsSubstring("summary.json is missing"));
  CHECK_FALSE(fs::exists(place.path() / "x.html"));
}

TEST_CASE("roster: a portrait comes into the gallery with consent, and goes with it") {
  const TeamPlace place;
  const fs::path team = place.path() / "team";
  const fs::path shown = team / "gallery-portraits";
  REQUIRE(place.run_team().exit_code == 0);
  CHECK_FALSE(fs::exists(shown));
  CHECK(find_portraits(team / "index.html").empty());

  place.write("team.csv", "name,portraits,show_portrait\nAda,ada,yes\nBen,ben,ja\nEve,eve,no\n");
  const RunResult with = place.run_team();
  INFO(with.err);
  REQUIRE(with.exit_code == 0);
  CHECK_THAT(with.err, ContainsSubstring("was trained before"));  // nobody is trained for it
  CHECK(find_portraits(team / "index.html") ==
        sdx::Json{{"Ada", "gallery-portraits/Ada/portrait.webp"},
                  {"Ben", "gallery-portraits/Ben/portrait.webp"}});
  const sdx::Image portrait = sdx::decode_image(shown / "Ada/portrait.webp").image;
  CHECK(portrait.width_px == 256);
  CHECK(portrait.height_px == 256);
  CHECK_FALSE(fs::exists(shown / "Eve"));
  const std::string page = read_bytes(team / "index.html");
  REQUIRE(place.run_team().exit_code == 0);
  CHECK(read_bytes(team / "index.html") == page);

  // A sheet of portraits that is damaged costs nobody the page.
  place.write("team/people/Eve/training/portraits.png", "no picture");
  place.write("team.csv", "name,portraits,show_portrait\nAda,ada,yes\nBen,ben,no\nEve,eve,yes\n");
  REQUIRE(place.run_team().exit_code == 0);
  CHECK(find_portraits(team / "index.html") ==
        sdx::Json{{"Ada", "gallery-portraits/Ada/portrait.webp"}});
  CHECK_FALSE(fs::exists(shown / "Ben"));

  const RunResult forgotten = run_roster(place, {"forget", "team", "Ada", "--yes"});
  REQUIRE(forgotten.exit_code == 0);
  CHECK_THAT(forgotten.out, ContainsSubstring("team/gallery-portraits/Ada/portrait.webp"));
  CHECK_FALSE(fs::exists(shown / "Ada"));
  CHECK(find_portraits(team / "index.html").empty());
}

TEST_CASE("roster: a consent to show a portrait that is unclear stops the run") {
  const TeamPlace place;
  place.write("team.csv", "name,portraits,show_portrait\nAda,ada,perhaps\nBen,ben,\nEve,eve,\n");
  const RunResult result = place.run_team();
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("team.csv, line 2, Ada: show_portrait: expected yes, no "
                                           "or nothing, found \"perhaps\""));
  CHECK_FALSE(fs::exists(place.path() / "team"));
}
