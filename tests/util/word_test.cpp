#include "sdx/util/word.h"

#include "support/catch.h"

TEST_CASE("util: a word is found where it stands alone", "[util]") {
  CHECK(sdx::find_word("a AND b", "AND") == 2);
  CHECK(sdx::find_word("AND", "AND") == 0);
  CHECK(sdx::find_word("BAND AND", "AND") == 5);
  CHECK(sdx::find_word("A-AND-B", "AND") == 2);
  CHECK(sdx::find_word("AND AND", "AND", 1) == 4);
  CHECK(sdx::find_word("ANDx _AND \u00E9AND", "AND") == std::string_view::npos);
}
