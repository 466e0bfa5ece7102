#include "sdx/embedding/embedding.h"

#include <ATen/ops/zeros.h>

#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::catch_message;

TEST_CASE("embedding: a wrong width is refused with the models that both widths belong to",
          "[embedding]") {
  const auto refusal = [](std::int64_t found, std::int64_t expected) {
    const sdx::Embedding embedding{"Ada", at::zeros({2, found}), {}, {}};
    return catch_message<sdx::DataError>([&] { sdx::check_widths(embedding, {expected}); });
  };
  CHECK(refusal(1024, 768) ==
        "<Ada>: made for SD 2.x (vectors of width 1024), this model takes embeddings for SD 1.x "
        "(width 768); use it with a model of its family (`model`), or train the word anew on this "
        "one");
  CHECK_THAT(refusal(768, 1024), Catch::Matchers::ContainsSubstring("made for SD 1.x"));
  CHECK_THAT(refusal(1280, 768), Catch::Matchers::ContainsSubstring("second text encoder of SDXL"));
  CHECK_THAT(refusal(768, 128), Catch::Matchers::ContainsSubstring("a model of width 128"));
  sdx::check_widths({"Ada", at::zeros({2, 768}), {}, {}}, {768});
}

TEST_CASE("embedding: a wrong width names the file", "[embedding]") {
  const sdx::Embedding embedding{"Ada", at::zeros({1, 768}), {}, "words/Ada.pt"};
  CHECK_THAT(catch_message<sdx::DataError>([&] { sdx::check_widths(embedding, {32}); }),
             Catch::Matchers::ContainsSubstring("words/Ada.pt: made for"));
}
