#include "sdx/embedding/embedding.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <limits>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

TEST_CASE("embedding: a file comes back as it was written", "[embedding]") {
  const TempFolder folder;
  const auto file = folder.path() / "Ada.safetensors";
  const at::Tensor vectors = at::arange(6, at::kFloat).reshape({2, 3});
  sdx::write_embedding(file, {"Ada", vectors, {{"sdx.seed", "3"}}, {}});
  const sdx::Embedding back = sdx::read_embedding(file);
  CHECK(back.name == "Ada");
  CHECK(at::equal(back.vectors, vectors));
  CHECK(back.metadata.at("sdx.seed") == "3");
  CHECK(back.metadata.at("format") == "pt");
  CHECK(sdx::map_safetensors(file).tensors.begin()->first == "<Ada>");
}

TEST_CASE("embedding: one vector without its dimension, and half precision, are read",
          "[embedding]") {
  const TempFolder folder;
  const auto file = folder.path() / "a.safetensors";
  sdx::write_safetensors(file, {{"<Ada>", at::arange(4, at::kHalf)}});
  const sdx::Embedding embedding = sdx::read_embedding(file);
  CHECK(embedding.vectors.sizes() == at::IntArrayRef({1, 4}));
  CHECK(embedding.vectors.scalar_type() == at::kFloat);
}

TEST_CASE("embedding: what is no embedding is refused with the reason", "[embedding]") {
  const TempFolder folder;
  const auto refusal = [&](const sdx::TensorMap& tensors) -> std::string {
    const auto file = folder.path() / "x.safetensors";
    sdx::write_safetensors(file, tensors);
    try {
      sdx::read_embedding(file);
    } catch (const sdx::DataError& error) {
      return error.what();
    }
    return "accepted";
  };
  const at::Tensor good = at::arange(4, at::kFloat);
  CHECK_THAT(refusal({{"<A>", good}, {"<B>", good}}), ContainsSubstring("found 2 tensors"));
  CHECK_THAT(refusal({{"emb_params", good}}), ContainsSubstring("found \"emb_params\""));
  CHECK_THAT(refusal({{"<A>", at::arange(4, at::kLong)}}), ContainsSubstring("floating-point"));
  CHECK_THAT(refusal({{"<A>", good.reshape({1, 2, 2})}}), ContainsSubstring("3 dimensions"));
  CHECK_THAT(refusal({{"<A>", at::full({2, 2}, std::numeric_limits<float>::quiet_NaN())}}),
             ContainsSubstring("not finite"));
}

TEST_CASE("embedding: a table finds names, and helps with those it lacks", "[embedding]") {
  const TempFolder folder;
  for (const char* name : {"Johannes", "Markus", "Sarah"}) {
    sdx::write_embedding(folder.path() / (std::string(name) + ".safetensors"),
                         {name, at::arange(4, at::kFloat).reshape({1, 4}), {}, {}});
  }
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  table.add_from(folder.path() / "Markus.safetensors");
  table.add_from(folder.path() / "no-such-folder");
  CHECK(table.all().size() == 3);
  CHECK(table.contains("Markus"));
  CHECK_FALSE(table.contains("markus"));
  try {
    table.at("johanes");
    FAIL("found a name that is not there");
  } catch (const sdx::UsageError& error) {
    CHECK_THAT(error.what(),
               ContainsSubstring("<johanes> is not known. The nearest names are <Johannes>"));
  }
}

TEST_CASE("embedding: two files of one name are a clash", "[embedding]") {
  const TempFolder folder;
  const at::Tensor vectors = at::arange(4, at::kFloat).reshape({1, 4});
  sdx::write_embedding(folder.path() / "1.safetensors", {"Ada", vectors, {}, {}});
  sdx::write_embedding(folder.path() / "2.safetensors", {"Ada", vectors, {}, {}});
  sdx::EmbeddingTable table;
  CHECK_THROWS_AS(table.add_from(folder.path()), sdx::DataError);
}
