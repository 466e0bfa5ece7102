#include "sdx/embedding/embedding_sizes.h"

#include <ATen/ops/zeros.h>

#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::catch_message;
using sdx::test::contains;

namespace {

using Planned = std::map<std::string, int>;

sdx::EmbeddingTable table_with_ada() {
  sdx::EmbeddingTable table;
  table.add({"Ada", at::zeros({3, 32}), {}, {}});
  return table;
}

}  // namespace

TEST_CASE("embedding: sizes are those of a table and of what is planned", "[embedding]") {
  const sdx::EmbeddingTable table = table_with_ada();
  const sdx::EmbeddingSizes sizes(table, {{"Ben", 8}});
  CHECK(sizes.vector_count("Ada") == 3);
  CHECK(sizes.vector_count("Ben") == 8);
  CHECK(sizes.contains("Ben"));
  CHECK_FALSE(sizes.contains("ada"));
  CHECK(sdx::EmbeddingSizes(table, {{"Ada", 5}}).vector_count("Ada") == 5);
  CHECK(sdx::EmbeddingSizes(Planned{{"Ben", 2}}).vector_count("Ben") == 2);
}

TEST_CASE("embedding: a name without a size is an error with the nearest ones", "[embedding]") {
  const sdx::EmbeddingTable table = table_with_ada();
  const auto refusal = [](const sdx::EmbeddingSizes& sizes) {
    return catch_message<sdx::UsageError>([&] { sizes.vector_count("Adam"); });
  };
  CHECK(contains(refusal(table), "<Ada>"));
  CHECK(contains(refusal({table, {{"Adan", 8}}}), "<Adan>"));
  CHECK(contains(refusal(Planned{{"Ada", 8}}), "<Ada>"));
  CHECK(contains(refusal({}), "<Adam> is not known. There are no embeddings here yet"));
}

TEST_CASE("embedding: sizes know whom a table's vectors fit", "[embedding]") {
  const sdx::EmbeddingTable table = table_with_ada();
  const sdx::EmbeddingSizes sizes(table, {{"Ben", 8}});
  CHECK_NOTHROW(sizes.check_widths("Ada", {32}));
  CHECK_THROWS_AS(sizes.check_widths("Ada", {768}), sdx::DataError);
  CHECK_NOTHROW(sizes.check_widths("Ben", {768}));
  CHECK_THROWS_AS(sizes.check_widths("Eve", {768}), sdx::UsageError);
}
