#include "sdx/util/settings_table.h"

#include <limits>

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;

namespace sdx {

enum class Flavour { kSweet, kSour };

template <>
inline constexpr std::array kEnumTexts<Flavour> = {EnumText<Flavour>{Flavour::kSweet, "sweet"},
                                                   EnumText<Flavour>{Flavour::kSour, "sour"}};

namespace {

struct Inner {
  int steps = 20;
};

struct Things {
  bool is_on = false;
  int count = 1;
  std::uint64_t seed = 0;
  double scale = 2;
  std::string title;
  std::vector<std::string> styles;
  Flavour flavour = Flavour::kSweet;
  Inner inner;
  int width = 0;
  int height = 0;
  std::string secret;
};

SettingsTable<Things> make_table() {
  SettingsTable<Things> table;
  table.group("First");
  table.add("on", &Things::is_on, "Switch it on");
  table.add("count", &Things::count, "How many").within(1, 8).letter('n').also({"n_iter"});
  table.add("seed", &Things::seed, "Random seed");
  table.add("scale", &Things::scale, "How large").at_least(0);
  table.group("Second");
  table.add("title", &Things::title, "What it is called");
  table.add("style", &Things::styles, "Styles");
  table.add("flavour", &Things::flavour, "sweet or sour");
  table.add("steps", nested(&Things::inner, &Inner::steps), "Steps").at_least(1);
  table.add_spelled(
      "size",
      [](const Things& things) {
        return std::to_string(things.width) + "x" + std::to_string(things.height);
      },
      [](Things& things, const std::string& text) {
        if (std::sscanf(text.c_str(), "%dx%d", &things.width, &things.height) != 2) {
          throw SettingError("size", "WIDTHxHEIGHT", text);
        }
      },
      "Size");
  table.add("secret", &Things::secret, "Of one call").of_one_call();
  return table;
}

std::string complaint(const Settings& settings, const Json& json) {
  try {
    settings.read_json(json, "f.json");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("settings: a table can be moved, and its rows go on working") {
  const SettingsTable<Things> table = make_table();
  Things things;
  const Settings settings(table, things);
  settings.at("count").set_text("8");
  CHECK(things.count == 8);
  CHECK_THROWS_AS(settings.at("count").set_text("9"), SettingError);
  CHECK(things.count == 8);
}

TEST_CASE("settings: what goes out as JSON comes back in, types included") {
  const SettingsTable<Things> table = make_table();
  Things things;
  const Settings settings(table, things);
  // Texts that look like numbers or lists, and numbers at the end of their range.
  for (const char* title : {"1.10", "1e5", "007", "true", "[a,b]", "", "--steps", "\"quoted\""}) {
    INFO(title);
    settings.at("title").set_text(title);
    settings.at("style").set_texts({title, "second"});
    settings.at("seed").set_text("18446744073709551615");
    settings.at("scale").set_text("0.1");
    settings.at("on").set_text("true");
    settings.at("flavour").set_text("sour");
    settings.at("steps").set_text("30");
    settings.at("size").set_text("64x96");
    const std::string text = settings.to_json().dump();

    Things again;
    const Settings other(table, again);
    other.read_json(Json::parse(text), "f.json");
    CHECK(again.title == title);
    CHECK(again.styles == std::vector<std::string>{title, "second"});
    CHECK(again.seed == std::numeric_limits<std::uint64_t>::max());
    CHECK(again.scale == 0.1);
    CHECK(again.is_on);
    CHECK(again.flavour == Flavour::kSour);
    CHECK(again.inner.steps == 30);
    CHECK(again.width == 64);
    CHECK(again.height == 96);
    CHECK(other.to_json().dump() == text);
  }
}

TEST_CASE("settings: JSON says what it is about where it is wrong") {
  const SettingsTable<Things> table = make_table();
  Things things;
  const Settings settings(table, things);
  CHECK_THAT(complaint(settings, {{"cout", 2}}),
             ContainsSubstring("f.json: there is no setting `cout`; the nearest are `count`"));
  CHECK(complaint(settings, {{"count", 0}}) ==
        "f.json: `count`: expected a whole number from 1 to 8, found \"0\"");
  CHECK(complaint(settings, {{"count", "2"}}) ==
        "f.json: `count`: expected a whole number from 1 to 8, found \"2\"");
  CHECK(complaint(settings, {{"count", 1.5}}) ==
        "f.json: `count`: expected a whole number from 1 to 8, found \"1.5\"");
  CHECK(complaint(settings, {{"seed", -1}}) ==
        "f.json: `seed`: expected a whole number of 0 or more, found \"-1\"");
  CHECK(complaint(settings, {{"on", "yes"}}) ==
        "f.json: `on`: expected true or false, found \"yes\"");
  CHECK(complaint(settings, {{"title", 1.5}}) ==
        "f.json: `title`: expected a text in quotes, found \"1.5\"");
  CHECK(complaint(settings, {{"style", Json::array({Json::object()})}}) ==
        "f.json: `style`: expected texts in quotes, found \"[{}]\"");
  CHECK(complaint(settings, {{"flavour", "salty"}}) ==
        "f.json: `flavour`: expected sweet or sour, found \"salty\"");
  CHECK(complaint(settings, {{"size", "wide"}}) ==
        "f.json: `size`: expected WIDTHxHEIGHT, found \"wide\"");
  CHECK_THAT(complaint(settings, {{"secret", "x"}}),
             ContainsSubstring("`secret` is not part of a configuration"));
  CHECK_THROWS_AS(settings.read_json(Json::array(), "f.json"), DataError);
  CHECK_FALSE(settings.to_json().contains("secret"));
  CHECK(things.count == 1);
}

TEST_CASE("settings: whole numbers that older versions wrote for texts come back as they were") {
  const SettingsTable<Things> table = make_table();
  Things things;
  const Settings settings(table, things);
  settings.read_json({{"title", 2024}, {"style", Json::array({7, "x"})}}, "f.json");
  CHECK(things.title == "2024");
  CHECK(things.styles == std::vector<std::string>{"7", "x"});
}

TEST_CASE("settings: numbers are whole texts, finite and in their range") {
  const SettingsTable<Things> table = make_table();
  Things things;
  const Settings settings(table, things);
  for (const char* text : {"nan", "inf", "-0.5", "1 ", "", "0x10", "1,5"}) {
    INFO(text);
    CHECK_THROWS_AS(settings.at("scale").set_text(text), SettingError);
  }
  for (const char* text : {"", "1.0", "99999999999", "+1", "one"}) {
    INFO(text);
    CHECK_THROWS_AS(settings.at("steps").set_text(text), SettingError);
  }
  CHECK(things.scale == 2);
  CHECK(things.inner.steps == 20);
}

TEST_CASE("settings: other programs' names are understood") {
  const SettingsTable<Things> table = make_table();
  Things things;
  const Settings settings(table, things);
  settings.at("n_iter").set_text("3");
  CHECK(things.count == 3);
  CHECK(settings.find("nothing") == nullptr);
  CHECK_THROWS_AS(settings.at("nothing"), UsageError);
}

}  // namespace sdx
