#include "sdx/roster/rows.h"

#include "sdx/roster/roster.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

Roster read(std::string_view json) {
  const TempFolder folder;
  return read_roster(folder.file("team.json", json));
}

std::string find_fault(const std::string& entry) {
  const Roster roster = read("[" + entry + "]");
  CHECK(roster.members.empty());
  REQUIRE(roster.problems.size() == 1);
  return roster.problems.front().text;
}

std::string catch_refusal(std::string_view json) {
  return catch_message<DataError>([&] { read(json); });
}

}  // namespace

TEST_CASE("roster: JSON has the same keys", "[roster]") {
  const TempFolder folder;
  const std::string members =
      R"([{"Name": " Ada ", "portraits": "a", "init": "a man", "kind": "object", "prompts": "styles",
           "consent": true, "until": "2027-03-31", "age": 36},
          {"name": "李雷", "portraits": "b", "init": null, "consent": false}])";
  for (const std::string& json : {members, "{\"about\": 1, \"members\": " + members + "}"}) {
    const Roster roster = read_roster(folder.file("team.JSON", json));
    CHECK(roster.problems.empty());
    CHECK(roster.records_consent);
    REQUIRE(roster.members.size() == 2);
    const Member& ada = roster.members[0];
    CHECK(ada.name == "Ada");
    CHECK(ada.portraits == folder.path() / "a");
    CHECK(ada.init == "a man");
    CHECK(ada.kind == SubjectKind::kObject);
    CHECK(ada.prompts == "styles");
    CHECK(ada.consent.given == "yes");
    CHECK(ada.consent.until == "2027-03-31");
    CHECK(ada.line == 1);
    CHECK(roster.members[1].name == "李雷");
    CHECK(roster.members[1].init.empty());
    CHECK(roster.members[1].consent.given == "no");
    CHECK(roster.members[1].line == 2);
  }
}

TEST_CASE("roster: a bad entry is named by its number and stops no other", "[roster]") {
  const Roster roster = read(
      R"([{"name": 42, "portraits": "a"}, {"name": "Ben", "portraits": "b"}, "Emma",
          {"name": "ben", "portraits": "c"}, {"name": "Zoe", "portraits": "z"}])");
  REQUIRE(roster.members.size() == 1);
  CHECK(roster.members[0].name == "Zoe");
  REQUIRE(roster.problems.size() == 4);
  CHECK(roster.problems[0].where == "team.json, entry 1");
  CHECK(roster.problems[0].code == ExitCode::kData);
  CHECK(roster.problems[0].text == "name: expected a text, found 42");
  CHECK(roster.problems[1].name == "Ben");
  CHECK(roster.problems[1].text == "the name is also that of team.json, entry 4 (ben)");
  CHECK(roster.problems[2].where == "team.json, entry 3");
  CHECK(roster.problems[2].text == "expected an object with name and portraits, found \"Emma\"");
}

TEST_CASE("roster: wrong types and keys of an entry are problems", "[roster]") {
  CHECK(find_fault(R"({"name": "Ada", "portraits": ["a"]})") ==
        "portraits: expected a text, found [\"a\"]");
  CHECK(find_fault(R"({"name": "Ada", "portraits": "a", "kind": true})") ==
        "kind: expected a text, found true");
  CHECK(find_fault(R"({"name": "Ada", "portraits": "a\u0000b"})") ==
        "portraits: expected a text, found \"a\\u0000b\"");
  CHECK(find_fault(R"({"name": "Ada", "potraits": "a"})") ==
        "key \"potraits\" is unknown; is \"portraits\" meant? Otherwise give it another name");
  CHECK(find_fault(R"({"name": "Ada", "Name": "Ada", "portraits": "a"})") ==
        "key \"name\" is there twice");
  CHECK(contains(find_fault(R"({"portraits": "a"})"), "the name is empty"));
  CHECK(contains(find_fault(R"({"name": "Ada"})"), "portraits is empty"));
}

TEST_CASE("roster: long values are cut, but no letter is", "[roster]") {
  const auto show = [](std::size_t length) {
    return find_fault("[\"" + std::string(length, 'a') + "ü and more\"]");
  };
  CHECK(show(76).ends_with("aü…"));
  CHECK(show(77).ends_with("a\uFFFD…"));
}

TEST_CASE("roster: consent that has a wrong type is recorded all the same", "[roster]") {
  const Roster roster = read(
      R"([{"name": "Ada", "portraits": "a", "consent": 1}, {"name": "Ben", "portraits": "b"}])");
  CHECK(roster.records_consent);
  CHECK(roster.problems.at(0).text == "consent: expected a text, found 1");
}

TEST_CASE("roster: JSON that is no roster is refused", "[roster]") {
  CHECK(contains(catch_refusal("[{\"name\": "), "team.json: not valid JSON: line 1"));
  CHECK(contains(catch_refusal(""), "not valid JSON"));
  CHECK(
      contains(catch_refusal("{\"name\": \"Ada\"}"), "expected an array of objects, or an object"));
  CHECK(contains(catch_refusal("{\"members\": {}}"), "expected an array of objects"));
  CHECK(contains(catch_refusal("42"), "expected an array of objects"));
  CHECK(contains(catch_refusal("[]"), "names nobody"));
}

TEST_CASE("roster: what cannot be shown is replaced", "[roster]") {
  CHECK(shown("Zoë 李雷") == "Zoë 李雷");
  CHECK(shown("a\x1B\n\xEB\u0085z") == "a\uFFFD\uFFFD\uFFFD\uFFFDz");
}

TEST_CASE("roster: places are lines or entries", "[roster]") {
  CHECK(describe_place("x/team.csv", 7) == "team.csv, line 7");
  CHECK(describe_place("team.Json", 3) == "team.Json, entry 3");
}
