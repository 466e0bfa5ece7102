#include "sdx/util/file_name.h"

#include "support/catch.h"

using sdx::make_file_name;

TEST_CASE("util: a file's name says what the prompt says", "[util]") {
  CHECK(make_file_name("<Ada> in the Snow, 8k!") == "ada-in-the-snow-8k");
  CHECK(make_file_name("../../etc/passwd") == "etc-passwd");
  CHECK(make_file_name("aaaa bbbb", {}, 5) == "aaaa");
  CHECK(make_file_name("") == "picture");
  CHECK(make_file_name("?!, \xff") == "picture");
}

TEST_CASE("util: letters of every script stay", "[util]") {
  CHECK(make_file_name("<李雷> als Ärztin") == "李雷-als-Ärztin");
  CHECK(make_file_name("王芳") == "王芳");
  CHECK(make_file_name("Жанна, портрет") == "Жанна-портрет");
  CHECK(make_file_name("हिन्दी") == "हिन्दी");
  CHECK(make_file_name("e\u0301te\u0301") == "e\u0301te\u0301");
  // The length is one of characters, and bounded in bytes.
  const std::string many = [] {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "漢";
    return text;
  }();
  CHECK(make_file_name(many).size() == 40 * 3);
}

TEST_CASE("util: names stay though the text is cut off before them", "[util]") {
  const std::string prompt = "harry potter hermione granger from harry potter, <Ada>";
  CHECK(make_file_name(prompt, {"Ada"}) == "harry-potter-hermione-granger-from-harry-ada");
  CHECK(make_file_name("<Ada> and <Ben>", {"Ada", "Ben"}) == "ada-and-ben");
  // "ad" stands in "ada", but is not there.
  CHECK(make_file_name(prompt, {"Ada", "Ad"}) == "harry-potter-hermione-granger-from-harry-ada-ad");
  CHECK(make_file_name("", {"李雷"}) == "李雷");
}
