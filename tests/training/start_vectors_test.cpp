#include "sdx/training/start_vectors.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include "sdx/util/error.h"
#include "support/tiny_bundle.h"
#include "support/two_encoders.h"

#include "support/catch.h"

using sdx::test::max_difference;
using sdx::test::tiny_bundle;

namespace {

struct Parts {
  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  sdx::TextEncoders encoders{tiny_bundle(), c10::DeviceType::CPU};

  at::Tensor rows(const std::string& text) const {
    return encoders.front()
        .embed(at::tensor(tokenizer->encode(text), at::kLong).unsqueeze(0))
        .squeeze(0);
  }
};

}  // namespace

TEST_CASE("start: a phrase is spread over the vectors", "[training]") {
  const Parts parts;
  const at::Tensor words = parts.rows("person robot snow");
  REQUIRE(words.size(0) == 3);
  const auto start = [&](int count) -> at::Tensor {
    return sdx::phrase_vectors("person robot snow", count, *parts.tokenizer, parts.encoders);
  };
  CHECK(at::equal(start(3), words));
  CHECK(max_difference(start(1)[0], words.mean(0)) < 1e-6);
  CHECK(at::equal(start(2)[0], words[0]));
  CHECK(max_difference(start(2)[1], words.slice(0, 1, 3).mean(0)) < 1e-6);
  const at::Tensor six = start(6);
  for (int i = 0; i < 6; ++i) CHECK(at::equal(six[i], words[i / 2]));
  CHECK_THROWS_AS(sdx::phrase_vectors(" ", 1, *parts.tokenizer, parts.encoders), sdx::UsageError);
}

TEST_CASE("start: the best words are found where the loss is lowest", "[training]") {
  const Parts parts;
  // A made-up loss whose lowest point is the word "robot" in the first row and "snow" in the
  // second.
  const at::Tensor goal = at::stack({parts.rows("robot")[0], parts.rows("snow")[0]});
  const sdx::VectorLoss cost = {
      [&](const at::Tensor& vectors) { return (vectors - goal).pow(2).sum().item<double>(); },
      [&](const at::Tensor& vectors) { return (vectors - goal) * 2; }};
  const at::Tensor start = sdx::phrase_vectors("person", 2, *parts.tokenizer, parts.encoders);
  const sdx::FoundWords found = sdx::best_words(start, cost, *parts.tokenizer, parts.encoders);
  INFO(found.words);
  CHECK(cost.loss(found.vectors) < cost.loss(start));
  CHECK(found.words.find(' ') != std::string::npos);

  const sdx::VectorLoss flat = {[](const at::Tensor&) { return 1.0; },
                                [&](const at::Tensor& vectors) { return vectors * 0; }};
  const sdx::FoundWords stayed = sdx::best_words(start, flat, *parts.tokenizer, parts.encoders);
  CHECK(at::equal(stayed.vectors, start));
  CHECK(stayed.words == "· ·");
}

TEST_CASE("start: cross initialization is the encoder's output at a mean name", "[training]") {
  const Parts parts;
  const at::Tensor vectors =
      sdx::cross_vectors({"Anna", "Paul"}, 2, *parts.tokenizer, parts.encoders);
  REQUIRE(vectors.sizes() == at::IntArrayRef({2, 32}));
  // The encoder ends with a layer norm, so its output is unlike any row of the table.
  CHECK(max_difference(vectors, sdx::phrase_vectors("Anna", 2, *parts.tokenizer, parts.encoders)) >
        1e-2);
  CHECK_FALSE(at::equal(vectors[0], vectors[1]));
  CHECK(at::equal(vectors,
                  sdx::cross_vectors({"Anna", "Paul"}, 2, *parts.tokenizer, parts.encoders)));
}

TEST_CASE("start: each text encoder starts from its own table", "[training]") {
  const sdx::test::TempFolder folder;
  const Parts parts;
  const sdx::TextEncoders encoders(
      sdx::test::save_two_encoders(folder.path(), parts.tokenizer->special_tokens().max_length),
      at::kCPU);
  const auto id = static_cast<float>(*parts.tokenizer->whole_word("robot"));
  const sdx::EmbeddingVectors start = sdx::phrase_vectors("robot", 2, *parts.tokenizer, encoders);
  CHECK(at::equal(start.matrix(0), at::tensor({id, id * 10, id, id * 10}).view({2, 2})));
  CHECK(at::equal(start.matrix(1), at::tensor({-id, -id}).view({2, 1})));
  // These encoders give what they get: at the mean name, the mean of the names.
  const sdx::EmbeddingVectors cross = sdx::cross_vectors({"robot"}, 2, *parts.tokenizer, encoders);
  CHECK(are_equal(cross, start));
  // A loss that only the second encoder's vectors lower: the word with the largest id.
  const sdx::VectorLoss cost = {
      [](const sdx::EmbeddingVectors& vectors) { return vectors.matrix(1).sum().item<double>(); },
      [](const sdx::EmbeddingVectors& vectors) {
        return sdx::EmbeddingVectors(std::vector{vectors.matrix(0) * 0, vectors.matrix(1) * 0 + 1});
      }};
  const sdx::FoundWords found = sdx::best_words(start, cost, *parts.tokenizer, encoders);
  CHECK(found.vectors.matrix(1)[0].item<float>() < -id);
  CHECK(at::equal(found.vectors.matrix(0).select(1, 0), -found.vectors.matrix(1).squeeze(1)));
}
