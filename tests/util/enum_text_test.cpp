#include "sdx/util/enum_text.h"

#include "sdx/util/json.h"

#include "support/catch.h"

namespace {

enum class Colour { kRed, kGreen, kBlue };

}  // namespace

namespace sdx {

template <>
inline constexpr std::array kEnumTexts<Colour> = {EnumText{Colour::kRed, "red", "Crimson Red"},
                                                  EnumText{Colour::kGreen, "green"},
                                                  EnumText{Colour::kBlue, "blue", "", "azure"}};

}  // namespace sdx

TEST_CASE("util: an enum is written and read by its table", "[util]") {
  CHECK(sdx::to_string(Colour::kRed) == "red");
  CHECK(sdx::display_name(Colour::kRed) == "Crimson Red");
  CHECK(sdx::display_name(Colour::kGreen) == "green");
  CHECK(sdx::enum_texts<Colour>() == std::vector<std::string>{"red", "green", "blue"});
  for (const char* text : {"red", "RED", "crimson red"}) {
    INFO(text);
    CHECK(sdx::find_enum<Colour>(text) == Colour::kRed);
  }
  CHECK(sdx::find_enum<Colour>("Azure") == Colour::kBlue);
  for (const char* text : {"", "re", "redd", " red"}) {
    INFO(text);
    CHECK_FALSE(sdx::find_enum<Colour>(text));
  }
}

TEST_CASE("util: an unknown text is refused with the setting and the choices", "[util]") {
  CHECK(sdx::parse_enum<Colour>("green", "colour") == Colour::kGreen);
  CHECK_THROWS_WITH(sdx::parse_enum<Colour>("gray", "colour"),
                    "`colour`: expected red, green or blue, found \"gray\"");
  try {
    sdx::parse_enum<Colour>("", "colour");
    FAIL("an empty text is a colour");
  } catch (const sdx::SettingError& error) {
    CHECK(error.field() == "colour");
    CHECK(error.exit_code() == sdx::ExitCode::kUsage);
  }
}

TEST_CASE("util: an enum in a file is refused with the file and the key", "[util]") {
  const sdx::Json json = {{"colour", "blue"}, {"other", "gray"}, {"number", 3}};
  CHECK(sdx::json_enum<Colour>(json, "colour", "a.json") == Colour::kBlue);
  CHECK_THROWS_WITH(sdx::json_enum<Colour>(json, "other", "a.json"),
                    "a.json: key \"other\": expected red, green or blue, found \"gray\"");
  CHECK_THROWS_AS(sdx::json_enum<Colour>(json, "number", "a.json"), sdx::DataError);
  CHECK_THROWS_AS(sdx::json_enum<Colour>(json, "absent", "a.json"), sdx::DataError);
}
