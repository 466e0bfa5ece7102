#include "sdx/util/name.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace {

std::string find_fault(std::string_view name) { return name_fault(name).value_or("none"); }

}  // namespace

TEST_CASE("util: names of every script are names", "[util]") {
  for (const char* name :
       {"Ada", "李雷", "Zoë", "Ñandú", "أمل", "Ada-Lovelace_2", "O'Brien", "v1.5", "नीता"}) {
    INFO(name);
    CHECK(find_fault(name) == "none");
  }
  CHECK(find_fault(std::string(200, 'a')) == "none");
}

TEST_CASE("util: what cannot stand in brackets or name a file is no name", "[util]") {
  CHECK(find_fault("") == "is empty");
  for (const char* name : {"Ada L", " Ada", "Ada\t", "A\nB", "Ada\u00A0", "李\u3000雷"}) {
    INFO(name);
    CHECK(find_fault(name) == "has a blank in it");
  }
  CHECK(find_fault("A<B") == "has a '<' or '>' in it");
  CHECK(find_fault("A>") == "has a '<' or '>' in it");
  CHECK(find_fault("a/b") == "has a path separator in it");
  CHECK(find_fault("a\\b") == "has a path separator in it");
  CHECK(find_fault("..") == "begins with a dot");
  CHECK(find_fault("../x") == "begins with a dot");
  CHECK(find_fault("A\x1B[31m") == "has a control character (U+001B) in it");
  CHECK(find_fault("A\x7F") == "has a control character (U+007F) in it");
  CHECK(find_fault("Zo\xEB") == "is not UTF-8");
  CHECK(find_fault("\u200B\u200D") == "has an invisible character (U+200B) in it");
  CHECK(find_fault(std::string(201, 'a')) == "has 201 bytes, at most 200 are possible");
}

TEST_CASE("util: what means something else in a prompt is no name", "[util]") {
  for (const std::string mark : {"(", ")", "[", "]", "{", "}", "|", ":", "\uFF1C", "\u203A"}) {
    INFO(mark);
    CHECK(find_fault("Ada" + mark) ==
          "has a '" + mark + "' in it, which means something else in a prompt");
  }
  for (const std::string name : {"AND", "A-AND-B", "BREAK", "x.BREAK"}) {
    INFO(name);
    CHECK_THAT(find_fault(name), Catch::Matchers::ContainsSubstring("has the word "));
  }
  for (const char* name : {"ANDREA", "and", "BREAKFAST", "x_AND_y", "BRAND", "A__B", "A____B"}) {
    INFO(name);
    CHECK(find_fault(name) == "none");
  }
  CHECK(find_fault("A__b__C") == "has a '__…__' in it, which stands for a wildcard in a prompt");
  CHECK(find_fault("*") == "is '*', which is no name");
}

TEST_CASE("util: invisible characters are no part of a name, joiners of a script are", "[util]") {
  for (const char* character : {"\u200B", "\uFEFF", "\u00AD", "\u2060", "\u200E", "\u202E",
                                "\u3164", "\u115F", "\u034F", "\u180E", "\u2800", "\u200D"}) {
    for (const std::string& name : {"Ben" + std::string(character), character + std::string("Ben"),
                                    "B" + std::string(character) + "en"}) {
      INFO(name);
      CHECK_THAT(find_fault(name), Catch::Matchers::ContainsSubstring("invisible character (U+"));
    }
  }
  // Ali-Reza in Persian, Sri in Sinhala, a woman at a computer, a heart.
  for (const char* name :
       {"\u0639\u0644\u06CC\u200C\u0631\u0636\u0627", "\u0DC1\u0DCA\u200D\u0DBB\u0DD3",
        "\U0001F469\u200D\U0001F4BB", "\u2764\uFE0F"}) {
    INFO(name);
    CHECK(find_fault(name) == "none");
  }
  CHECK(find_fault("A\uE000") == "has a character (U+E000) in it that no keyboard writes");
  CHECK(find_fault("A\uFFFD") == "has a character (U+FFFD) in it that no keyboard writes");
  CHECK(find_fault("\u0301Ada") == "begins with an accent (U+0301) that has no letter");
}

TEST_CASE("util: an older name must be part of a path only", "[util]") {
  for (const char* name : {"(Ada)", "AND", "Ada:2", "A\u200B"}) {
    INFO(name);
    CHECK_FALSE(file_name_fault(name));
  }
  for (const char* name : {"", "..", "a/b", "a\\b", "Ada L", "A\n", "Zo\xEB", "<A>"}) {
    INFO(name);
    CHECK(file_name_fault(name));
  }
}

TEST_CASE("util: the forms of an accent are one name, letters and cases are not", "[util]") {
  CHECK(canonical_name("Zoe\u0308") == "Zo\u00EB");
  CHECK(canonical_name("Zo\u00EB") == "Zo\u00EB");
  CHECK(canonical_name("\u212B") == "\u00C5");
  CHECK(canonical_name("Ada") == "Ada");
  CHECK(canonical_name("Zo\xEB") == "Zo\xEB");
  CHECK(is_same_name("n\u0303andu\u0301", "\u00F1and\u00FA"));
  CHECK(is_same_name("a\u0323\u0302", "a\u0302\u0323"));
  CHECK_FALSE(is_same_name("ada", "Ada"));
  CHECK_FALSE(is_same_name("Zoe", "Zo\u00EB"));
  CHECK_FALSE(is_same_name("\uFF21da", "Ada"));
}

TEST_CASE("util: a name is found at the beginning of a text in any form", "[util]") {
  CHECK(find_name_length("Ada is", "Ada") == 3);
  CHECK(find_name_length("Ad", "Ada") == 0);
  CHECK(find_name_length("Zoe\u0308 is", "Zo\u00EB") == 5);
  CHECK(find_name_length("Zo\u00EB is", "Zoe\u0308") == 4);
  CHECK(find_name_length("Zoe", "Zo\u00EB") == 0);
  CHECK(find_name_length("Ada\u0301", "Ada") == 0);
  CHECK(find_name_length("\u674E\u96F7!", "\u674E\u96F7") == 6);
  CHECK(find_name_length("", "Ada") == 0);
  CHECK(find_name_length("", "Zo\u00EB") == 0);
}

TEST_CASE("util: an entry of a folder is found in any form of its name", "[util]") {
  const TempFolder folder;
  folder.file("Zoe\u0308.txt", "");
  folder.file("Ada.txt", "");
  CHECK(find_named_entry(folder.path(), "Zo\u00EB.txt") == folder.path() / "Zoe\u0308.txt");
  CHECK(find_named_entry(folder.path(), "Zoe\u0308.txt") == folder.path() / "Zoe\u0308.txt");
  CHECK(find_named_entry(folder.path(), "Zoe.txt") == folder.path() / "Zoe.txt");
  CHECK(find_named_entry(folder.path(), "\u00C0da.txt") == folder.path() / "\u00C0da.txt");
  CHECK(find_named_entry(folder.path() / "absent", "Zo\u00EB") ==
        folder.path() / "absent" / "Zo\u00EB");
  folder.file("Zo\u00EB.txt", "");
  CHECK(find_named_entry(folder.path(), "Zo\u00EB.txt") == folder.path() / "Zo\u00EB.txt");
}

TEST_CASE("util: names that look the same are the same", "[util]") {
  CHECK(caseless_name("ADA") == caseless_name("ada"));
  CHECK(caseless_name("Zo\u00EB") == caseless_name("Zoe\u0308"));
  CHECK(caseless_name("\u00D1and\u00FA") == caseless_name("n\u0303ANDU\u0301"));
  CHECK(caseless_name("Stra\u00DFe") == caseless_name("STRASSE"));
  CHECK(caseless_name("\u03A3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2") ==
        caseless_name("\u03C3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C3"));
  CHECK(caseless_name("A\u200Bda") == caseless_name("Ada"));
  CHECK(caseless_name("Zoe") != caseless_name("Zoë"));
  CHECK(caseless_name("李雷") != caseless_name("李蕾"));
  CHECK_THROWS_AS(caseless_name("Zo\xEB"), DataError);
}

TEST_CASE("util: a name in a foreign file need not be one of a file", "[util]") {
  for (const char* name : {"Ada", "my embedding", "a/b", ".hidden", "李雷"}) {
    INFO(name);
    CHECK(is_usable_name(name));
  }
  for (const char* name : {"", "*", "<Ada>", "a>b", "a\nb", "a\x1B[2J", "\xFF"}) {
    INFO(name);
    CHECK_FALSE(is_usable_name(name));
  }
  CHECK(is_usable_name(std::string(kMaxNameBytes, 'a')));
  CHECK_FALSE(is_usable_name(std::string(kMaxNameBytes + 1, 'a')));
}
