#include "sdx/prompt/prompt_remarks.h"

#include "support/catch.h"
#include "support/tensors.h"

using sdx::Grammar;
using Words = std::vector<std::string>;

TEST_CASE("prompt: words that a model has never read are listed once, in the order of the stages") {
  const Words known = {"a", "as", "robot", "in", "the", "snow"};
  sdx::EmbeddingTable embeddings;
  const auto list = [&](const std::string& prompt, Grammar grammar = Grammar::kA1111) {
    return list_unknown_words(prompt, grammar, embeddings, known);
  };
  CHECK(list("a Robot in the SNOW") == Words{});
  CHECK(list("a zebra, a Harvester and the zebra") == Words{"zebra", "harvester", "and"});
  // The zebra comes in the second stage.
  CHECK(list("(robot:1.3), [snow:zebra:0.5] BREAK 8, 512x512") == Words{"512x512", "zebra"});
  CHECK(list("<Ada> as a robot") == Words{});
  CHECK(list("Grüße") == Words{"grüße"});
  CHECK(list("snow AND zebra :0.5") == Words{"zebra"});
  CHECK(list("snow AND zebra", Grammar::kPlain) == Words{"and", "zebra"});
}

TEST_CASE("prompt: a model without a list of words knows them all") {
  CHECK(list_unknown_words("a zebra", Grammar::kA1111, sdx::EmbeddingTable(), {}).empty());
}
