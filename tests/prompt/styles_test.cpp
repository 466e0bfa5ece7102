#include "sdx/prompt/styles.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace {

const std::vector<Style> kStyles = {{"photo", "photo of {prompt}, 85mm", "drawing"},
                                    {"night", "at night", ""},
                                    {"twice", "{prompt} and {prompt}", "not {prompt}"},
                                    {"empty", "", "  "}};

StyledPrompt styled(const std::string& prompt, const std::string& negative,
                    const std::vector<std::string>& names) {
  return apply_styles({prompt, negative}, names, kStyles);
}

}  // namespace

TEST_CASE("prompt: styles are read from AUTOMATIC1111's file", "[prompt]") {
  const TempFolder folder;
  const auto path = folder.file("styles.csv",
                                "\xEF\xBB\xBF"
                                "name,prompt,negative_prompt\r\n"
                                "photo,\"photo of {prompt},\n85mm\",\"drawing, \"\"art\"\"\"\r\n"
                                "--- more ---,,\r\n"
                                ",left out,\r\n"
                                "night,at dusk\r\n"
                                "night,at night\r\n");
  const std::vector<Style> styles = read_styles(path);
  REQUIRE(styles.size() == 3);
  CHECK(styles[0].name == "photo");
  CHECK(styles[0].prompt == "photo of {prompt},\n85mm");
  CHECK(styles[0].negative_prompt == "drawing, \"art\"");
  CHECK(styles[1].name == "--- more ---");
  CHECK(styles[2].prompt == "at night");
  CHECK(styles[2].negative_prompt.empty());
}

TEST_CASE("prompt: columns of a styles file may come in any order", "[prompt]") {
  const TempFolder folder;
  const auto styles =
      read_styles(folder.file("styles.csv", "notes,negative_prompt,prompt,name\nmine,n,p,a\n"));
  REQUIRE(styles.size() == 1);
  CHECK(styles[0].name == "a");
  CHECK(styles[0].prompt == "p");
  CHECK(styles[0].negative_prompt == "n");
}

TEST_CASE("prompt: a file that holds no styles is refused", "[prompt]") {
  const TempFolder folder;
  const auto refusal = [&folder](std::string_view text) {
    return catch_message<DataError>([&] { read_styles(folder.file("styles.csv", text)); });
  };
  CHECK(contains(refusal("photo,photo of {prompt},drawing\n"), "no column \"name\""));
  CHECK(contains(refusal("name,prompt\nphoto,x\n"), "no column \"negative_prompt\""));
  CHECK(contains(refusal("name,prompt,negative_prompt\na,b,c,d\n"), "line 2"));
  CHECK(contains(refusal("name,prompt,negative_prompt\na,\"b,c\n"), "line 2"));
  CHECK_THROWS_AS(read_styles(folder.file("absent.csv")), MissingInputError);
}

TEST_CASE("prompt: a style takes the prompt in or is appended", "[prompt]") {
  CHECK(styled("a cat", "", {"photo"}).prompt == "photo of a cat, 85mm");
  CHECK(styled("a cat", "", {"photo"}).negative_prompt == "drawing");
  CHECK(styled("a cat", "blurry", {"photo"}).negative_prompt == "blurry, drawing");
  CHECK(styled(" a cat ", "", {"night"}).prompt == "a cat, at night");
  CHECK(styled("", "", {"night"}).prompt == "at night");
  CHECK(styled("a cat", "x", {"empty"}).prompt == "a cat");
  CHECK(styled("a cat", "x", {"empty"}).negative_prompt == "x");
  CHECK(styled(" a cat", "x", {}).prompt == " a cat");
}

TEST_CASE("prompt: several styles apply in order", "[prompt]") {
  CHECK(styled("a cat", "", {"night", "photo"}).prompt == "photo of a cat, at night, 85mm");
  CHECK(styled("a cat", "", {"photo", "night"}).prompt == "photo of a cat, 85mm, at night");
  CHECK(styled("a", "b", {"twice", "twice"}).prompt == "a and a and a and a");
  CHECK(styled("a", "b", {"twice", "twice"}).negative_prompt == "not not b");
}

TEST_CASE("prompt: a field in the prompt itself is not filled in", "[prompt]") {
  CHECK(styled("{prompt}", "", {"twice"}).prompt == "{prompt} and {prompt}");
}

TEST_CASE("prompt: an unknown style names the nearest", "[prompt]") {
  const std::string message = catch_message<UsageError>([] { styled("a", "", {"fhoto"}); });
  CHECK(contains(message, "\"fhoto\""));
  CHECK(contains(message, "the nearest are: photo"));
  CHECK_THROWS_AS(apply_styles({"a", ""}, {"photo"}, {}), UsageError);
}
