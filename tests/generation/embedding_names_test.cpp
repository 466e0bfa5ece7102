#include "sdx/generation/embedding_names.h"

#include <ATen/ops/ones.h>

#include "support/catch.h"

TEST_CASE("words: those of both prompts, each once, and the first that is missing",
          "[generation]") {
  sdx::ImageRequest request;
  request.prompt = "<Ada> and <Ben>, <Ada>";
  request.negative_prompt = "<blur>";
  CHECK(sdx::list_embedding_names(request) == std::vector<std::string>{"Ada", "Ben", "blur"});
  sdx::EmbeddingTable words;
  words.add({"Ada", at::ones({1, 2}), {}, {}});
  CHECK(sdx::find_missing_embedding(request, words) == "Ben");
  words.add({"Ben", at::ones({1, 2}), {}, {}});
  CHECK(sdx::find_missing_embedding(request, words) == "blur");
  words.add({"blur", at::ones({1, 2}), {}, {}});
  CHECK(sdx::find_missing_embedding(request, words).empty());
}
