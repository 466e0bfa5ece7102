#include "sdx/util/utf8.h"

#include "support/catch.h"

using namespace std::string_view_literals;

TEST_CASE("util: UTF-8 becomes code points and back", "[util]") {
  const std::string text = "aé漢😀";
  CHECK(sdx::from_utf8(text) == U"aé漢😀");
  CHECK(sdx::to_utf8(U"aé漢😀") == text);
  CHECK(sdx::from_utf8("a\0b"sv) == U"a\0b"sv);
  CHECK(sdx::from_utf8("").empty());
}

TEST_CASE("util: each byte that is no UTF-8 is replaced", "[util]") {
  CHECK(sdx::from_utf8("a\xFFz") == U"a\uFFFDz");
  CHECK(sdx::from_utf8("\xE2\x82") == U"\uFFFD\uFFFD");            // an incomplete character
  CHECK(sdx::from_utf8("\xC0\x80") == U"\uFFFD\uFFFD");            // NUL in two bytes
  CHECK(sdx::from_utf8("\xED\xA0\x80") == U"\uFFFD\uFFFD\uFFFD");  // half of a surrogate pair
}

TEST_CASE("util: characters are taken one after the other", "[util]") {
  std::string_view rest = "é\xFF!";
  CHECK(sdx::take_character(rest) == U'é');
  CHECK_FALSE(sdx::take_character(rest));
  CHECK(rest == "!");
  CHECK(sdx::take_character(rest) == U'!');
  CHECK(rest.empty());
}

TEST_CASE("util: a text is plain if it can be shown in a line", "[util]") {
  CHECK(sdx::is_plain_text("Zoë 漢字 #1"));
  CHECK(sdx::is_plain_text(""));
  for (const std::string_view text :
       {"a\nb"sv, "\x1B[2J"sv, "a\0"sv, "\x7F"sv, "\xC2\x85"sv, "\xFF"sv, "\xE2\x82"sv}) {
    CHECK_FALSE(sdx::is_plain_text(text));
  }
}

TEST_CASE("util: a text in quotes is shown as it is, unless it could flood a terminal", "[util]") {
  CHECK(sdx::quote_text("Zoë 漢字") == "\"Zoë 漢字\"");
  CHECK(sdx::quote_text("\x1B[2J") == "\"?[2J\"");
  CHECK(sdx::quote_text(std::string(200, 'a')) == '"' + std::string(200, 'a') + '"');
  CHECK(sdx::quote_text(std::string(201, 'a')) == '"' + std::string(80, 'a') + "…\"");
}
