#include "sdx/prompt/networks.h"

#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_remarks.h"
#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using Catch::Matchers::ContainsSubstring;
using test::catch_message;

namespace {

NetworkTag only(const std::string& text) {
  const std::vector<NetworkTag> tags = list_networks(text);
  REQUIRE(tags.size() == 1);
  return tags.front();
}

std::string refusal(const std::string& text) {
  return catch_message<UsageError>([&] { list_networks(text); });
}

EmbeddingTable with_words() {
  EmbeddingTable table;
  for (const char* name : {"Ada", "add detail"}) {
    Embedding word;
    word.name = name;
    table.add(std::move(word));
  }
  return table;
}

/// The texts of a prompt's first part at its first stage, joined.
std::string read(const std::string& text, Grammar grammar = Grammar::kA1111) {
  std::string all;
  const std::vector<PromptPart> parts = parse_prompt(text, grammar).parts({20, 0});
  for (const PromptSegment& segment : parts.front().stages.front().prompt.segments) {
    all += segment.text;
  }
  return all;
}

}  // namespace

TEST_CASE("prompt: a LoRA's strengths are those of AUTOMATIC1111") {
  CHECK(only("a <lora:style> hat") == NetworkTag{"<lora:style>", "style", 1, 1});
  CHECK(only("<lora:style:0.8>") == NetworkTag{"<lora:style:0.8>", "style", 0.8, 0.8});
  CHECK(only("<lyco:style:-1>") == NetworkTag{"<lyco:style:-1>", "style", -1, -1});
  // The text encoders come first.
  CHECK(only("<lora:a:0.8:0.5>") == NetworkTag{"<lora:a:0.8:0.5>", "a", 0.8, 0.5});
  CHECK(only("<lora:a:unet=0.5>") == NetworkTag{"<lora:a:unet=0.5>", "a", 1, 0.5});
  CHECK(only("<lora:a:te=0.5>") == NetworkTag{"<lora:a:te=0.5>", "a", 0.5, 0.5});
  CHECK(only("<lora:a:0.3:te=0:unet=2>") == NetworkTag{"<lora:a:0.3:te=0:unet=2>", "a", 0, 2});
  CHECK(only("<lora:add detail (v2):.5>").name == "add detail (v2)");
  CHECK(only("<lora:漢字:1>").name == "漢字");
  const auto two = list_networks("<lora:a:1> and (<lora:b:2>:1.2)");
  REQUIRE(two.size() == 2);
  CHECK(two[1] == NetworkTag{"<lora:b:2>", "b", 2, 2});
}

TEST_CASE("prompt: what is no tag stays text") {
  for (const char* text : {"", "lora:a:1", "<lora:a:1", "<lora>", "a < lora:b:1>", "<lora:a\n:1>",
                           "<Lora:a:1>", "<lora:a<b:1>", "<hypernet:a:1>", "<Ada>"}) {
    INFO(text);
    CHECK(list_networks(text).empty());
    CHECK(without_networks(text) == text);
  }
  CHECK(without_networks("a <lora:x:1>, <lyco:y>hat") == "a , hat");
}

TEST_CASE("prompt: a tag that says no strength is refused by itself") {
  CHECK_THAT(refusal("<lora:a:strong>"),
             ContainsSubstring("<lora:a:strong>\": the strength \"strong\" is no number"));
  CHECK_THAT(refusal("<lora:a:>"), ContainsSubstring("the strength \"\" is no number"));
  CHECK_THAT(refusal("<lora:a:nan>"), ContainsSubstring("is no number"));
  CHECK_THAT(refusal("<lora:a:1e999>"), ContainsSubstring("is no number"));
  CHECK_THAT(refusal("<lora::1>"), ContainsSubstring("has no name"));
  CHECK_THAT(refusal("<lora:a:1:2:3>"), ContainsSubstring("has 3 strengths"));
  CHECK_THAT(refusal("<lora:a:1:dyn=4>"), ContainsSubstring("\"dyn\" is not known here"));
}

TEST_CASE("prompt: a tag is written as it is read") {
  for (const auto& [text, unet] : {std::pair{1., 1.}, {0.8, 0.5}, {-1., -1.}, {0., 1.}}) {
    const NetworkTag tag = only(write_network("my style", text, unet));
    CHECK(tag.name == "my style");
    CHECK(tag.text == text);
    CHECK(tag.unet == unet);
  }
  CHECK(write_network("a", 0.8, 0.8) == "<lora:a:0.8>");
  CHECK(write_network("a", 1, 0.5) == "<lora:a:1:0.5>");
}

TEST_CASE("prompt: of a file's colons only those before strengths count") {
  const auto parsed = [](const char* text) {
    const NetworkTag tag = parse_network(text);
    return std::tuple(tag.name, tag.text, tag.unet);
  };
  CHECK(parsed("style") == std::tuple("style", 1., 1.));
  CHECK(parsed("a/style.safetensors:0.8") == std::tuple("a/style.safetensors", 0.8, 0.8));
  CHECK(parsed("a:b.pt:0.8:0.5") == std::tuple("a:b.pt", 0.8, 0.5));
  CHECK(parsed("C:/x.pt") == std::tuple("C:/x.pt", 1., 1.));
  CHECK(parsed("x:unet=0") == std::tuple("x", 1., 0.));
  CHECK_THROWS_AS(parse_network(""), UsageError);
  CHECK_THROWS_AS(parse_network("x:1:2:3"), UsageError);
}

TEST_CASE("prompt: the text encoders never see a tag, in any grammar") {
  CHECK(read("a hat<lora:x:1>") == "a hat");
  CHECK(read("a hat<lora:add (detail):1>") == "a hat");
  CHECK(read("a hat<lora:x:1>", Grammar::kPlain) == "a hat");
  const PromptText text = parse_text("a <lora:x:1>hat", Grammar::kA1111);
  CHECK(text.text == "a hat");
  CHECK(text.segments.size() == 1);
  // Inside of brackets, edits and parts, all of whose steps have it.
  CHECK((parse_prompt("(a <lora:x:1>hat:1.2)", Grammar::kA1111).parts({20, 0}) ==
         parse_prompt("(a hat:1.2)", Grammar::kA1111).parts({20, 0})));
  CHECK((parse_prompt("[a<lora:x:1>:b:5] AND c <lora:y:2> :1.5", Grammar::kA1111).parts({20, 0}) ==
         parse_prompt("[a:b:5] AND c  :1.5", Grammar::kA1111).parts({20, 0})));
  CHECK((parse_prompt("a <lora:x:1>", Grammar::kA1111, PromptRole::kNegative).parts({20, 0}) ==
         parse_prompt("a ", Grammar::kA1111, PromptRole::kNegative).parts({20, 0})));
}

TEST_CASE("prompt: names of embeddings are looked for beside tags, not inside of them") {
  const EmbeddingTable words = with_words();
  CHECK(placeholder_names("<lora:Ada:1> <Ada>", words) == std::vector<std::string>{"Ada"});
  CHECK(placeholder_names("<lora:nobody:1>", words).empty());
  CHECK(bracket_bare_names("Ada <lora:add detail:1> Ada", words) ==
        "<Ada> <lora:add detail:1> <Ada>");
  const auto remarks = [&](const char* text, PromptRole role) {
    return list_prompt_remarks(text, Grammar::kA1111, role, words);
  };
  CHECK(remarks("a <lora:some style:1> hat", PromptRole::kPositive).empty());
  const auto negative = remarks("ugly <lora:x:1>", PromptRole::kNegative);
  REQUIRE(negative.size() == 1);
  CHECK_THAT(negative.front(),
             ContainsSubstring("\"<lora:x:1>\" in the negative prompt is left out"));
}
