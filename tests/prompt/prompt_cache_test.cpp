#include "sdx/prompt/prompt_cache.h"

#include "support/catch.h"

using sdx::Grammar;
using sdx::PromptRole;

TEST_CASE("prompt: a cache gives what parsing gives, and parses a prompt once", "[prompt]") {
  sdx::PromptCache cache;
  const std::string text = "a [b:c:3] AND d :2";
  const auto first = cache.parts(text, Grammar::kA1111, PromptRole::kPositive, {10, 0});
  CHECK(*first == sdx::parse_prompt(text, Grammar::kA1111).parts({10, 0}));
  CHECK(cache.parts(text, Grammar::kA1111, PromptRole::kPositive, {10, 0}) == first);
  const auto second_pass = cache.parts(text, Grammar::kA1111, PromptRole::kPositive, {10, 10});
  CHECK(*second_pass == sdx::parse_prompt(text, Grammar::kA1111).parts({10, 10}));
  CHECK(cache.parsed() == 1);
  CHECK(cache.parts(text, Grammar::kA1111, PromptRole::kNegative, {10, 0})->size() == 1);
  CHECK(cache.parts(text, Grammar::kPlain, PromptRole::kPositive, {10, 0})->size() == 1);
  CHECK(cache.parsed() == 3);
}

TEST_CASE("prompt: what a cache gave stays when it forgets", "[prompt]") {
  sdx::PromptCache cache;
  const auto kept = cache.parts("first", Grammar::kA1111, PromptRole::kPositive, {10, 0});
  for (int i = 0; i < 5000; ++i) {
    cache.parts(std::to_string(i), Grammar::kA1111, PromptRole::kPositive, {10, 0});
  }
  CHECK(kept->front().stages.front().prompt.text == "first");
  const auto again = cache.parts("first", Grammar::kA1111, PromptRole::kPositive, {10, 0});
  CHECK(again != kept);
  CHECK(*again == *kept);
}
