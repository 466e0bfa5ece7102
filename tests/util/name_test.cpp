#include "sdx/util/name.h"

#include "sdx/util/error.h"
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
  CHECK(find_fault("A\x1B[31m") == "has a control character in it");
  CHECK(find_fault("A\x7F") == "has a control character in it");
  CHECK(find_fault("Zo\xEB") == "is not UTF-8");
  CHECK(find_fault("\u200B\u200D") == "has no letter that could be seen");
  CHECK(find_fault(std::string(201, 'a')) == "has 201 bytes, at most 200 are possible");
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
