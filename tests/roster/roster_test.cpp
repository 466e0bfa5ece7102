#include "sdx/roster/roster.h"

#include "support/child.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

Roster read(std::string_view csv) {
  const TempFolder folder;
  return read_roster(folder.file("team.csv", csv));
}

Names list_names(const Roster& roster) {
  Names names;
  for (const Member& member : roster.members) names.push_back(member.name);
  return names;
}

/// The problem of a roster's only row.
RosterProblem find_problem(const std::string& header, const std::string& row) {
  const Roster roster = read(header + "\n" + row + "\n");
  CHECK(roster.members.empty());
  REQUIRE(roster.problems.size() == 1);
  return roster.problems.front();
}

std::string find_fault(const std::string& header, const std::string& row) {
  return find_problem(header, row).text;
}

std::string catch_refusal(std::string_view csv) {
  return catch_message<DataError>([&] { read(csv); });
}

}  // namespace

TEST_CASE("roster: the demo's roster is read", "[roster]") {
  const fs::path path = fs::path(SDX_SOURCE_DIR) / "configs/demo/team.csv";
  const Roster roster = read_roster(path);
  CHECK(roster.path == path);
  CHECK(list_names(roster) == Names{"Ada", "Ben", "Chloe", "David", "Emma"});
  CHECK(roster.problems.empty());
  CHECK_FALSE(roster.records_consent);
  for (const Member& member : roster.members) CHECK_FALSE(check_portraits(member, path));
}

TEST_CASE("roster: every column is read, in any order and case", "[roster]") {
  const TempFolder folder;
  folder.file("own", "{name}\n");
  const Roster roster = read_roster(
      folder.file("team.csv",
                  "\xEF\xBB\xBFUntil, Consent ,department,PROMPTS,Kind,Init,Portraits,Name\r\n"
                  "2027-03-31,yes,R&D,fantasy,Style,\"a man, with glasses\",\"my \"\"best\"\" "
                  "pictures\", Ada \r\n"
                  "\r\n"
                  ",,,,,,,\r\n"
                  ",,,own,,,/data/ben,\"Zoë\"\r\n"
                  ",,,sub/p.txt,object,,c,李雷,, \r\n"));
  CHECK(roster.problems.empty());
  CHECK(roster.records_consent);
  REQUIRE(roster.members.size() == 3);
  const Member& ada = roster.members[0];
  CHECK(ada.name == "Ada");
  CHECK(ada.portraits == folder.path() / "my \"best\" pictures");
  CHECK(ada.init == "a man, with glasses");
  CHECK(ada.kind == SubjectKind::kStyle);
  CHECK(ada.prompts == "fantasy");
  CHECK(ada.consent.given == "yes");
  CHECK(ada.consent.until == "2027-03-31");
  CHECK(ada.line == 2);
  const Member& zoe = roster.members[1];
  CHECK(zoe.name == "Zoë");
  CHECK(zoe.portraits == "/data/ben");
  CHECK(zoe.init.empty());
  CHECK(zoe.kind == SubjectKind::kPerson);
  CHECK(zoe.prompts == folder.file("own").string());
  CHECK(zoe.consent.given.empty());
  CHECK(zoe.line == 5);
  CHECK(roster.members[2].prompts == folder.file("sub/p.txt").string());
  CHECK(roster.members[2].kind == SubjectKind::kObject);
}

TEST_CASE("roster: a portrait is shown only after a clear yes", "[roster]") {
  const TempFolder folder;
  const Roster roster = read_roster(folder.file("team.csv",
                                                "name,portraits,Show_Portrait\n"
                                                "Ada,a,yes\nBen,b,ja\nCleo,c,2026-05-03 by e-mail\n"
                                                "Dora,d,\nEve,e,no\nFinn,f,nein\n"
                                                "Gil,g,\"yes, but not this one\"\nHal,h,1.jpg\n"));
  const std::vector<bool> expected = {true, true, true, false, false, false};
  REQUIRE(roster.members.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(roster.members[i].name);
    CHECK(roster.members[i].shows_portrait == expected[i]);
  }
  REQUIRE(roster.problems.size() == 2);
  CHECK(roster.problems[0].where == "team.csv, line 8");
  CHECK(roster.problems[0].text ==
        "show_portrait: expected yes, no or nothing, found \"yes, but not this one\"");
  CHECK(roster.problems[1].name == "Hal");
  CHECK_FALSE(roster.records_consent);

  const Roster json = read_roster(
      folder.file("team.json", R"([{"name": "Ada", "portraits": "a", "show_portrait": true},
                       {"name": "Ben", "portraits": "b", "show_portrait": false},
                       {"name": "Cleo", "portraits": "c"}])"));
  REQUIRE(json.members.size() == 3);
  CHECK(json.members[0].shows_portrait);
  CHECK_FALSE(json.members[1].shows_portrait);
  CHECK_FALSE(json.members[2].shows_portrait);
}

TEST_CASE("roster: a relative roster has relative portraits", "[roster]") {
  const TempFolder folder;
  folder.file("team.csv", "name,portraits\nAda,a\n");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const Roster roster = read_roster("team.csv");
  fs::current_path(before);
  CHECK(roster.members.at(0).portraits == "a");
}

TEST_CASE("roster: a bad row stops no other", "[roster]") {
  const Roster roster = read("name,portraits\nAda,a\nB n,b\nLovelace, Ada,c\nEmma,e\n,f\n");
  CHECK(list_names(roster) == Names{"Ada", "Emma"});
  REQUIRE(roster.problems.size() == 3);
  CHECK(roster.problems[0].where == "team.csv, line 3");
  CHECK(roster.problems[0].name == "B n");
  CHECK(roster.problems[0].code == ExitCode::kData);
  CHECK(roster.problems[0].text ==
        "the name has a blank in it; expected one word, for example AdaLovelace");
  CHECK(roster.problems[1].where == "team.csv, line 4");
  CHECK(roster.problems[1].name == "Lovelace");
  CHECK(roster.problems[1].text ==
        "3 fields for 2 columns; a field with a comma must stand in quotes");
  CHECK(roster.problems[2].where == "team.csv, line 6");
  CHECK(roster.problems[2].name.empty());
}

TEST_CASE("roster: names that can be none are problems", "[roster]") {
  for (const char* name : {"", "../x", ".x", "a/b", "a<b", "\x1B[2J", "Ada Lovelace"}) {
    INFO(name);
    CHECK(contains(find_fault("name,portraits", std::string(name) + ",a"), "the name "));
  }
  CHECK(find_problem("name,portraits", "\x1B[2J,a").name == "\uFFFD[2J");
}

TEST_CASE("roster: every fault of a row is named", "[roster]") {
  CHECK(find_fault("name,portraits", "Ada") ==
        "portraits is empty; it names the folder of the pictures");
  CHECK(find_fault("name,portraits,kind", "Ada,a,dog") ==
        "kind: expected person, object or style, found \"dog\"");
  for (const char* date : {"31.03.2027", "2027-02-29", "next year"}) {
    CHECK(find_fault("name,portraits,consent,until", std::string("Ada,a,yes,") + date) ==
          std::string("until: expected a date such as 2027-03-31, found \"") + date + "\"");
  }
  const std::string no_consent = "until says when a consent ends, but consent is empty";
  CHECK(find_fault("name,portraits,consent,until", "Ada,a,,2027-03-31") == no_consent);
  CHECK(find_fault("name,portraits,until", "Ada,a,2027-03-31") == no_consent);
  CHECK(find_fault("name,portraits,kind", ",,dog") ==
        "the name is empty; expected one word, for example AdaLovelace; portraits is empty; it "
        "names the folder of the pictures; kind: expected person, object or style, found \"dog\"");
}

TEST_CASE("roster: a row in another encoding is a problem", "[roster]") {
  const RosterProblem problem = find_problem("name,portraits", "Zo\xEB,z");
  CHECK(problem.text ==
        "not UTF-8 but Latin-1 or Windows-1252, by the look of it; save the table as CSV in UTF-8");
  CHECK(problem.name == "Zo\uFFFD");
  CHECK(contains(find_fault("name,portraits,team", "Ada,a,K\xF6ln"), "not UTF-8"));
}

TEST_CASE("roster: a name that is there twice is nobody's", "[roster]") {
  const Roster roster =
      read("name,portraits\nAda,a\nBen,b\nADA,c\nZo\u00EB,d\nZoe\u0308,e\nada,f\n");
  CHECK(list_names(roster) == Names{"Ben"});
  REQUIRE(roster.problems.size() == 5);
  CHECK(roster.problems[0].text ==
        "the name is also that of team.csv, line 4 (ADA), team.csv, line 7 (ada)");
  CHECK(roster.problems[1].text ==
        "the name is also that of team.csv, line 2 (Ada), team.csv, line 7 (ada)");
  CHECK(roster.problems[2].text == "the name is also that of team.csv, line 6 (Zoe\u0308)");
  CHECK(roster.problems[3].where == "team.csv, line 6");
}

TEST_CASE("roster: one folder is not two people's", "[roster]") {
  const TempFolder folder;
  fs::create_directories(folder.file("a/b"));
  fs::create_directory_symlink("a", folder.file("link"));
  const Roster roster = read_roster(folder.file(
      "team.csv",
      "name,portraits\nAda,a\nBen,./a/\nEmma,a/b/..\nZoe,link\nLi,a/b\nMax,x\nMia,x/\n"));
  CHECK(list_names(roster) == Names{"Li"});
  REQUIRE(roster.problems.size() == 6);
  CHECK(roster.problems[0].text ==
        "the folder of portraits is also that of team.csv, line 3 (Ben), team.csv, line 4 (Emma), "
        "team.csv, line 5 (Zoe)");
  CHECK(roster.problems[5].text ==
        "the folder of portraits is also that of team.csv, line 7 (Max)");
}

TEST_CASE("roster: of many doubles the first few are named", "[roster]") {
  std::string text = "name,portraits\n";
  for (int i = 0; i < 9; ++i) text += "Ada,folder" + std::to_string(i) + "\n";
  const Roster roster = read(text);
  REQUIRE(roster.problems.size() == 9);
  CHECK(roster.problems[0].text ==
        "the name is also that of team.csv, line 3 (Ada), team.csv, line 4 (Ada), team.csv, "
        "line 5 (Ada), team.csv, line 6 (Ada), team.csv, line 7 (Ada), and 3 more");
}

TEST_CASE("roster: a row that is refused still takes its name", "[roster]") {
  const Roster roster = read("name,portraits,kind\nAda,a,dog\nada,b\n");
  CHECK(roster.members.empty());
  CHECK(contains(roster.problems.at(0).text, "found \"dog\"; the name is also that of"));
}

TEST_CASE("roster: a table that is no roster is refused", "[roster]") {
  CHECK(
      contains(catch_refusal(""), "team.csv: is empty; a roster has the columns name, portraits"));
  CHECK(contains(catch_refusal("name,portraits\n\n,\n"), "names nobody"));
  CHECK(contains(catch_refusal("\nname,path\nAda,a\n"),
                 "team.csv, line 2: no column \"portraits\", found name, path; a roster has"));
  CHECK(contains(catch_refusal("first,portraits\nAda,a\n"), "no column \"name\""));
  CHECK(contains(catch_refusal("name;portraits\nAda;a\n"),
                 "line 1: one column, \"name;portraits\"; columns are separated by commas"));
  CHECK(contains(catch_refusal("name,portraits,Name\nAda,a,b\n"), "\"name\" is there twice"));
  CHECK(contains(catch_refusal("name,portraits,Stra\xDF"
                               "e\nAda,a,b\n"),
                 "line 1: not UTF-8"));
  CHECK(contains(catch_refusal(std::string_view("PK\3\4\0\0", 6)), "team.csv: not a text"));
  CHECK(contains(catch_refusal("name,portraits\nAda,\"a\nBen,b\n"), "line 2: a quote is opened"));
  const TempFolder folder;
  CHECK_THROWS_AS(read_roster(folder.file("absent.csv")), MissingInputError);
  CHECK_THROWS_AS(read_roster(folder.path()), DataError);
}

TEST_CASE("roster: a column that looks like a missing one is refused", "[roster]") {
  const auto meant = [](const std::string& column) {
    return catch_refusal("name,portraits," + column + "\nAda,a,b\n");
  };
  CHECK(contains(meant("consnet"),
                 "team.csv, line 1: column \"consnet\" is unknown; is \"consent\" meant?"));
  CHECK(contains(meant("prompt"), "is \"prompts\" meant?"));
  CHECK(contains(meant("unitl"), "is \"until\" meant?"));
  CHECK(contains(meant("Consent (given)"), "is \"consent\" meant?"));
  CHECK(contains(meant("consent,consent_until"), "is \"until\" meant?"));
  CHECK(contains(catch_refusal("name,potraits\nAda,a\n"), "is \"portraits\" meant?"));
}

TEST_CASE("roster: columns of other meanings are passed over", "[roster]") {
  const Roster roster = read(
      "id,first name,name,e-mail,department,team,office,project,manager,,portraits\n"
      "1,Ada,Ada,a@b,R&D,x,y,z,w,,a\n");
  CHECK(list_names(roster) == Names{"Ada"});
  CHECK(roster.members.at(0).portraits.filename() == "a");
}
