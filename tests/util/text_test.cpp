#include "sdx/util/text.h"

#include "support/catch.h"

using Words = std::vector<std::string>;

TEST_CASE("util: lists are split, trimmed and joined", "[util]") {
  CHECK(sdx::split_list(" a, b ,,c", ',') == Words{"a", "b", "c"});
  CHECK(sdx::split_list("", ',').empty());
  CHECK(sdx::join({"a", "b"}, "; ") == "a; b");
  CHECK(sdx::join({}, "; ").empty());
  CHECK(sdx::trim("\t x y \r\n") == "x y");
}

TEST_CASE("util: the nearest words come first, case ignored", "[util]") {
  CHECK(sdx::nearest_words("johannes", {"Sarah", "Johann", "JOHANNES"}, 2) ==
        Words{"JOHANNES", "Johann"});
  CHECK(sdx::nearest_words("x", {}).empty());
}

TEST_CASE("util: the edit distance counts letters", "[util]") {
  CHECK(sdx::edit_distance("portraits", "PORTRAITS") == 0);
  CHECK(sdx::edit_distance("potraits", "portraits") == 1);
  CHECK(sdx::edit_distance("unitl", "until") == 2);
  CHECK(sdx::edit_distance("", "ab") == 2);
}

TEST_CASE("util: a slug is safe in a file name", "[util]") {
  CHECK(sdx::slug("<Ada> in the Snow, 8k!") == "ada-in-the-snow-8k");
  CHECK(sdx::slug("漢字") == "picture");
  CHECK(sdx::slug("../../etc/passwd") == "etc-passwd");
  CHECK(sdx::slug("aaaa bbbb", 5) == "aaaa");
}

TEST_CASE("util: an argument for a shell is quoted where it must be", "[util]") {
  CHECK(sdx::shell_quoted("--out=team/1,2@x%") == "--out=team/1,2@x%");
  CHECK(sdx::shell_quoted("") == "''");
  CHECK(sdx::shell_quoted("a b") == "'a b'");
  CHECK(sdx::shell_quoted("$(touch x) `y` \\ \"z\" * ~\n") == "'$(touch x) `y` \\ \"z\" * ~\n'");
  CHECK(sdx::shell_quoted("it's") == "'it'\\''s'");
  CHECK(sdx::shell_quoted("Ж") == "'Ж'");
}

TEST_CASE("util: all places of a text are replaced, once", "[util]") {
  CHECK(sdx::replace_all("a {x} b {x}", "{x}", "<Ada>") == "a <Ada> b <Ada>");
  CHECK(sdx::replace_all("{x}", "{x}", "{x}{x}") == "{x}{x}");
  CHECK(sdx::replace_all("aaa", "aa", "b") == "ba");
  CHECK(sdx::replace_all("abc", "x", "y") == "abc");
  CHECK(sdx::replace_all("", "x", "y").empty());
}

TEST_CASE("util: a byte-order mark is no part of a text", "[util]") {
  CHECK(sdx::without_byte_order_mark("\xEF\xBB\xBF"
                                     "a") == "a");
  CHECK(sdx::without_byte_order_mark("a\xEF\xBB\xBF") == "a\xEF\xBB\xBF");
  CHECK(sdx::without_byte_order_mark("\xEF\xBB") == "\xEF\xBB");
}

TEST_CASE("util: blanks are ASCII's white space", "[util]") {
  for (const char c : {' ', '\t', '\n', '\v', '\f', '\r'}) CHECK(sdx::is_blank(c));
  for (const char c : {'a', '\0', '\x08', '\x0E', '\xA0'}) CHECK_FALSE(sdx::is_blank(c));
}

TEST_CASE("util: foreign names can neither flood nor command the terminal", "[util]") {
  CHECK(sdx::in_quotes("a\x1B[2J\n漢") == "\"a?[2J????\"");
  CHECK(sdx::in_quotes(std::string(81, 'a')) == "\"" + std::string(80, 'a') + "…\"");
}

TEST_CASE("util: counted things", "[util]") {
  CHECK(sdx::count_in_words(1, "row", "rows") == "1 row");
  CHECK(sdx::count_in_words(0, "row", "rows") == "0 rows");
}

TEST_CASE("util: a word is found where it stands alone", "[util]") {
  CHECK(sdx::find_word("a AND b", "AND") == 2);
  CHECK(sdx::find_word("AND", "AND") == 0);
  CHECK(sdx::find_word("BAND AND", "AND") == 5);
  CHECK(sdx::find_word("A-AND-B", "AND") == 2);
  CHECK(sdx::find_word("AND AND", "AND", 1) == 4);
  CHECK(sdx::find_word("ANDx _AND \u00E9AND", "AND") == std::string_view::npos);
}
