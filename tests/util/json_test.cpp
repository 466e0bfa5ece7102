#include "sdx/util/json.h"

#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/child.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using sdx::test::catch_message;
using sdx::test::contains;
using sdx::test::run_for_exit_code;
using sdx::test::TempFolder;

TEST_CASE("util: a JSON file is read with its keys in order", "[util]") {
  const TempFolder folder;
  const Json read =
      read_json_file(folder.file("a.json", R"({"z": 1, "a": [true, null], "m": "ü"})"));
  CHECK(read.dump() == R"({"z":1,"a":[true,null],"m":"ü"})");
}

TEST_CASE("util: a JSON file may begin with a byte order mark", "[util]") {
  const TempFolder folder;
  CHECK(read_json_file(folder.file("a.json", "\xEF\xBB\xBF{\"a\": 1}"))["a"] == 1);
}

TEST_CASE("util: a missing JSON file is missing input", "[util]") {
  const TempFolder folder;
  CHECK(contains(catch_message<MissingInputError>([&] { read_json_file(folder.file("no.json")); }),
                 folder.file("no.json").string()));
}

TEST_CASE("util: broken JSON is refused with path, line and column", "[util]") {
  const TempFolder folder;
  const auto path = folder.file("a.json", "{\n  \"a\": 1,\n  \"b\" 2\n}");
  const std::string message = catch_message<DataError>([&] { read_json_file(path); });
  CHECK(contains(message, path.string()));
  CHECK(contains(message, "line 3, column 7"));
  CHECK_FALSE(contains(message, "json.exception"));
}

TEST_CASE("util: what is no JSON is refused", "[util]") {
  const TempFolder folder;
  const std::vector<std::string> contents = {"",
                                             "   ",
                                             "{",
                                             "{\"a\": 1} x",
                                             "{\"a\": \"\xFF\"}",
                                             std::string("{\"a\": \"\0\"}", 10),
                                             "{'a': 1}",
                                             "{\"a\": 1e999}"};
  for (const std::string& content : contents) {
    INFO(content);
    CHECK_THROWS_AS(read_json_file(folder.file("a.json", content)), DataError);
  }
}

TEST_CASE("util: JSON that is nested too deep is refused", "[util]") {
  const TempFolder folder;
  const auto nested = [&folder](std::size_t depth) {
    return read_json_file(folder.file("a.json", std::string(depth, '[') + std::string(depth, ']')));
  };
  CHECK(nested(100).is_array());
  CHECK(contains(catch_message<DataError>([&] { nested(102); }), "levels deep"));
  CHECK_THROWS_AS(nested(1000000), DataError);
}

TEST_CASE("util: a JSON file that may not be read is a matter of permission", "[util]") {
  const TempFolder folder;
  const auto path = folder.file("a.json", "{}");
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  CHECK(run_for_exit_code([&] {
          test::become_nobody();
          read_json_file(path);
          return 0;
        }) == 77);
}

TEST_CASE("util: json_value gives what is there", "[util]") {
  const Json object = Json::parse(R"({"i": -3, "u": 3000000000, "d": 0.5, "s": "x", "b": true,
                                      "l": [1, 2], "n": null})");
  CHECK(json_value<int>(object, "i", "f") == -3);
  CHECK(json_value<std::uint32_t>(object, "u", "f") == 3000000000U);
  CHECK(json_value<double>(object, "d", "f") == 0.5);
  CHECK(json_value<double>(object, "i", "f") == -3);
  CHECK(json_value<std::string>(object, "s", "f") == "x");
  CHECK(json_value<bool>(object, "b", "f"));
  CHECK(json_value<std::vector<int>>(object, "l", "f") == std::vector<int>{1, 2});
}

TEST_CASE("util: json_value names file and key of what is missing", "[util]") {
  const Json object = Json::parse(R"({"a": 1})");
  const std::string message =
      catch_message<DataError>([&] { json_value<int>(object, "b", "/some/bundle.json"); });
  CHECK(message == "/some/bundle.json: key \"b\" is missing");
  CHECK_THROWS_AS(json_value<int>(Json::parse("[1]"), "b", "f"), DataError);
}

TEST_CASE("util: json_value refuses another type", "[util]") {
  const Json object =
      Json::parse(R"({"s": "x", "d": 2.5, "m": -1, "b": true, "u": 3000000000, "l": [1, "x"]})");
  const std::string message =
      catch_message<DataError>([&] { json_value<int>(object, "s", "/some/bundle.json"); });
  CHECK(contains(message, "/some/bundle.json"));
  CHECK(contains(message, "\"s\""));
  CHECK(contains(message, "\"x\""));
  CHECK_THROWS_AS(json_value<std::string>(object, "d", "f"), DataError);
  CHECK_THROWS_AS(json_value<double>(object, "s", "f"), DataError);
  CHECK_THROWS_AS(json_value<bool>(object, "d", "f"), DataError);
  CHECK_THROWS_AS(json_value<std::vector<int>>(object, "l", "f"), DataError);
  // These nlohmann's get<T>() would change.
  CHECK_THROWS_AS(json_value<int>(object, "d", "f"), DataError);
  CHECK_THROWS_AS(json_value<int>(object, "b", "f"), DataError);
  CHECK_THROWS_AS(json_value<int>(object, "u", "f"), DataError);
  CHECK_THROWS_AS(json_value<std::uint32_t>(object, "m", "f"), DataError);
  CHECK_THROWS_AS(json_value<double>(object, "b", "f"), DataError);
}

TEST_CASE("util: json_value does not show the whole of a long value", "[util]") {
  Json object;
  object["long"] = std::vector<int>(10000, 7);
  CHECK(catch_message<DataError>([&] { json_value<int>(object, "long", "f"); }).size() < 300);
}

TEST_CASE("util: json_value falls back only where there is nothing", "[util]") {
  const Json object = Json::parse(R"({"a": 1, "n": null, "s": "x"})");
  CHECK(json_value<int>(object, "a", "f", 7) == 1);
  CHECK(json_value<int>(object, "b", "f", 7) == 7);
  CHECK(json_value<int>(object, "n", "f", 7) == 7);
  CHECK_THROWS_AS(json_value<int>(object, "s", "f", 7), DataError);
}
