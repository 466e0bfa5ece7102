#include "sdx/prompt/wildcards.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;

const fs::path kFolder = fs::path(SDX_TEST_DATA) / "wildcards";

}  // namespace

TEST_CASE("prompt: wildcard files are found in folders", "[prompt]") {
  const Wildcards wildcards = read_wildcards(kFolder);
  CHECK(wildcards.lines.size() == 4);
  CHECK(wildcards.lines.at("colour") == Lines{"blue", "green", "red"});
  CHECK(wildcards.lines.at("hats/winter") == Lines{"beanie", "fur hat", "wool {cap|hood}"});
}

TEST_CASE("prompt: only the lines of text files are wildcards", "[prompt]") {
  const TempFolder folder;
  fs::create_directory(folder.path() / "in it");
  fs::create_directory_symlink(folder.path(), folder.path() / "loop");
  folder.file("a.txt",
              "\xEF\xBB\xBF"
              "one\r\n# not this\r\n\r\n  #nor this\n two # three \n");
  folder.file("b.csv", "no");
  folder.file("in it/c.d.txt", "x");
  const Wildcards wildcards = read_wildcards(folder.path());
  CHECK(wildcards.lines ==
        std::map<std::string, Lines>{{"a", {"one", "two # three"}}, {"in it/c.d", {"x"}}});
}

TEST_CASE("prompt: a wildcard may stand for several files", "[prompt]") {
  const Wildcards wildcards = read_wildcards(kFolder);
  CHECK(matching_wildcards("colour", wildcards) == Lines{"colour"});
  CHECK(matching_wildcards("hats/*", wildcards) == Lines{"hats/summer", "hats/winter"});
  CHECK(matching_wildcards("*", wildcards) == Lines{"clothes", "colour"});
  CHECK(matching_wildcards("*/w*r", wildcards) == Lines{"hats/winter"});
  CHECK(matching_wildcards("c?lour", wildcards) == Lines{"colour"});
}

TEST_CASE("prompt: a missing wildcard names the nearest", "[prompt]") {
  const Wildcards wildcards = read_wildcards(kFolder);
  const auto refusal = [](const std::string& pattern, const Wildcards& known) {
    return catch_message<MissingInputError>([&] { matching_wildcards(pattern, known); });
  };
  CHECK(contains(refusal("color", wildcards), "__color__"));
  CHECK(contains(refusal("color", wildcards), "the nearest are: colour"));
  CHECK(contains(refusal("winter", wildcards), "hats/winter"));
  CHECK(contains(refusal("../../etc/passwd", wildcards), "no wildcard file"));
  CHECK(contains(refusal("a", {}), "no folder of wildcards is given"));
  const TempFolder empty;
  CHECK(contains(refusal("a", read_wildcards(empty.path())), "no .txt file"));
  CHECK_THROWS_AS(read_wildcards(empty.path() / "absent"), MissingInputError);
  CHECK_THROWS_AS(read_wildcards(kFolder / "colour.txt"), MissingInputError);
}
