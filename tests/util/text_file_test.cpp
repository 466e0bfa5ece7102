#include "sdx/util/text_file.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string read(const std::string& bytes) {
  const TempFolder folder;
  return read_text_file(folder.file("text.txt", bytes));
}

std::string refusal(const std::string& bytes) {
  return catch_message<DataError>([&] { read(bytes); });
}

}  // namespace

TEST_CASE("util: a text is UTF-8, or UTF-16 that says so", "[util]") {
  CHECK(read("") == "");
  CHECK(read("Zo\u00EB\r\n") == "Zo\u00EB\r\n");
  CHECK(read("\xEF\xBB\xBFZo\u00EB") == "Zo\u00EB");
  CHECK(read("\xEF\xBB\xBF") == "");
  CHECK(read("\xFF\xFE") == "");
  CHECK(read(std::string("\xFF\xFEZ\0\xEB\0\n\0", 8)) == "Z\u00EB\n");
  CHECK(read(std::string("\xFE\xFF\0Z\0\xEB", 6)) == "Z\u00EB");
  CHECK(read(std::string("\xFF\xFE\x3D\xD8\0\xDE", 6)) == "\U0001F600");
}

TEST_CASE("util: a damaged UTF-16 text is refused with its line", "[util]") {
  CHECK_THAT(refusal("\xFF\xFE" + std::string("a\0\n\0b", 5)),
             ContainsSubstring("text.txt, line 2: marked as UTF-16 but ends within a character"));
  CHECK_THAT(refusal(std::string("\xFE\xFF\xD8\x3D\0a", 6)),
             ContainsSubstring("line 1: marked as UTF-16 but with half a character"));
  CHECK_THAT(refusal(std::string("\xFE\xFF\xDE\0\0a", 6)), ContainsSubstring("half a character"));
  CHECK_THAT(refusal(std::string("\xFF\xFE\0\0a\0\0\0", 8)), ContainsSubstring("UTF-32"));
  CHECK_THAT(refusal(std::string("\xFE\xFF\0a\0\0", 6)), ContainsSubstring("NUL"));
}

TEST_CASE("util: other encodings are named as far as bytes can tell", "[util]") {
  const auto guess = [](const std::string& bytes) { return describe_encoding_fault(bytes); };
  CHECK(guess("Zo\u00EB \u674E\u96F7") == "");
  CHECK_THAT(guess("f\xFCr sch\xF6ne Gr\xFC\xDF"
                   "e"),
             ContainsSubstring("Latin-1"));
  CHECK_THAT(guess("cr\xE9\xE9"
                   "e"),
             ContainsSubstring("Latin-1") || ContainsSubstring("one byte"));
  CHECK_THAT(guess("\x84"
                   "Ada\x93, 5 \x80"),
             ContainsSubstring("Windows-1252"));
  CHECK_THAT(guess("\x83\x8D\x83{\x83"
                   "b\x83g"),
             ContainsSubstring("Shift-JIS"));
  CHECK_THAT(guess("\xC4\xE3\xBA\xC3, robot"), ContainsSubstring("GBK"));
  CHECK_THAT(guess("\xCF\xF0\xE8\xE2\xE5\xF2, \xEC\xE8\xF0!"),
             ContainsSubstring("Windows-1251") || ContainsSubstring("GBK"));
  CHECK_THAT(guess(std::string("r\0o\0b\0o\0t\0", 10)), ContainsSubstring("UTF-16 (LE) without"));
  CHECK_THAT(guess(std::string("\0r\0o\0b\0o\0t", 10)), ContainsSubstring("UTF-16 (BE) without"));
  CHECK_THAT(guess(std::string("a\0\0\1\2\0\0\0", 8)), ContainsSubstring("binary"));
  CHECK_THAT(guess("\x89PNG\r\n\x1A\n"), ContainsSubstring("a PNG picture"));
  CHECK_THAT(
      refusal("one\ntwo\nf\xFCr\n"),
      ContainsSubstring("text.txt, line 3: not UTF-8 but Latin-1 or Windows-1252, by the look "
                        "of it: \"f?r\"; save it as UTF-8"));
}

TEST_CASE("util: a table's reader gets rows as they are, but no mark", "[util]") {
  const TempFolder folder;
  const auto table = [&](const std::string& bytes) {
    return read_marked_text_file(folder.file("table.csv", bytes));
  };
  CHECK(table("\xEF\xBB\xBFZo\xEB") == "Zo\xEB");
  CHECK(table(std::string("\xFF\xFEZ\0", 4)) == "Z");
  CHECK(table("Zo\xEB") == "Zo\xEB");
}
