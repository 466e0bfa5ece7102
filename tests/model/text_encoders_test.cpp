#include "sdx/model/text_encoders.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "sdx/util/error.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"
#include "support/two_encoders.h"

#include "support/catch.h"

using sdx::test::catch_message;
using sdx::test::save_two_encoders;
using sdx::test::tiny_bundle;

namespace {

/// Two prompts of two chunks each; 9 is the end, and the first encoder's padding.
sdx::ChunkIds four_chunks() {
  const at::Tensor ids = at::tensor({1, 2, 9, 3, 9, 9, 4, 9, 9, 9, 9, 9}, at::kLong).view({4, 3});
  const at::Tensor ends = at::tensor({2, 1, 1, 0}, at::kLong);
  const at::Tensor position = at::tensor({0, 1, 2}, at::kLong).unsqueeze(0);
  return {ids, position > ends.unsqueeze(1), ends};
}

at::Tensor floats(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::tensor(values).view(shape);
}

}  // namespace

TEST_CASE("text encoders: two outputs side by side, chunks one after the other", "[model]") {
  const sdx::test::TempFolder folder;
  const sdx::TextEncoders encoders(save_two_encoders(folder.path(), 3), at::kCPU);
  CHECK(encoders.widths() == std::vector<std::int64_t>{2, 1});
  CHECK(encoders.positions() == 3);
  const sdx::ChunkIds chunks = four_chunks();
  const std::vector<at::Tensor> embedded = encoders.embed(chunks);
  CHECK(at::equal(embedded.at(0).select(2, 0), chunks.ids.to(at::kFloat)));
  CHECK(
      at::equal(embedded.at(1).squeeze(2), -floats({1, 2, 9, 3, 9, 0, 4, 9, 0, 9, 0, 0}, {4, 3})));

  const sdx::EncodedChunks encoded = encoders.encode(embedded, chunks.ends, 5);
  const sdx::Conditioning conditioning = encoders.join(encoded, 2, {640, 480});
  CHECK(conditioning.context.sizes() == at::IntArrayRef({2, 6, 3}));
  CHECK(at::equal(
      conditioning.context[0],
      floats({1, 10, -1, 2, 20, -2, 9, 90, -9, 3, 30, -3, 9, 90, -9, 9, 90, 0}, {6, 3}) + 5));
  CHECK(at::equal(conditioning.context[1].select(1, 2), floats({-4, -9, 0, -9, 0, 0}, {6}) + 5));
  // Of each prompt's first chunk: ends at 2 with ids 1 + 2 + 9, ends at 1 with ids 4 + 9 + 0.
  CHECK(at::equal(conditioning.pooled, floats({212, 113}, {2, 1})));
  CHECK(at::equal(conditioning.size_ids, sdx::make_size_ids({640, 480}, 2)));
}

TEST_CASE("text encoders: a model that needs the image's size says so", "[model]") {
  const sdx::test::TempFolder folder;
  const sdx::TextEncoders encoders(save_two_encoders(folder.path(), 3), at::kCPU);
  const sdx::ChunkIds chunks = encoders.measuring_chunks(2);
  const sdx::EncodedChunks encoded = encoders.encode(encoders.embed(chunks), chunks.ends);
  CHECK(sdx::test::contains(
      catch_message<sdx::InternalError>([&] { encoders.join(encoded, 2, {}); }), "image's size"));
}

TEST_CASE("text encoders: one is that encoder, and takes no pooled vector and no size", "[model]") {
  const sdx::TextEncoders encoders(tiny_bundle(), at::kCPU);
  const sdx::TextEncoder alone(tiny_bundle(), at::kCPU);
  REQUIRE(encoders.size() == 1);
  const sdx::ChunkIds chunks = encoders.measuring_chunks(2);
  CHECK(chunks.ids.sizes() == at::IntArrayRef({2, 77}));
  const sdx::Conditioning conditioning =
      encoders.join(encoders.encode(encoders.embed(chunks), chunks.ends, 1), 2, {64, 64});
  CHECK(at::equal(conditioning.context, alone.encode(alone.embed(chunks.ids), 1)));
  CHECK_FALSE(conditioning.pooled.defined());
  CHECK_FALSE(conditioning.size_ids.defined());
  CHECK_THROWS_AS(alone.encode_pooled(alone.embed(chunks.ids), chunks.ends), sdx::InternalError);
}
