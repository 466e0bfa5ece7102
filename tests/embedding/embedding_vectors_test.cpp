#include "sdx/embedding/embedding_vectors.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::EmbeddingVectors;
using sdx::test::catch_message;
using sdx::test::contains;

namespace {

EmbeddingVectors pair() {
  return EmbeddingVectors(std::vector{at::ones({2, 3}), at::full({2, 5}, 2.0)});
}

}  // namespace

TEST_CASE("embedding vectors: those of one text encoder are its matrix", "[embedding]") {
  const at::Tensor matrix = at::ones({2, 3});
  const EmbeddingVectors vectors = matrix;
  CHECK(vectors.count() == 2);
  CHECK(vectors.widths() == std::vector<std::int64_t>{3});
  CHECK(vectors.only().is_same(matrix));
  CHECK(at::equal(vectors, matrix));
  CHECK_FALSE(EmbeddingVectors(at::Tensor()).defined());
  CHECK_THROWS_AS(EmbeddingVectors().count(), sdx::InternalError);
}

TEST_CASE("embedding vectors: two matrices are never taken for one", "[embedding]") {
  const EmbeddingVectors vectors = pair();
  CHECK(vectors.count() == 2);
  CHECK(vectors.widths() == std::vector<std::int64_t>{3, 5});
  CHECK(contains(catch_message<sdx::InternalError>([&] { vectors.only(); }),
                 "expected those of one text encoder, found 2"));
  CHECK_THROWS_AS(at::equal(vectors, at::ones({2, 3})), sdx::InternalError);
}

TEST_CASE("embedding vectors: every encoder has as many", "[embedding]") {
  CHECK_THROWS_AS(EmbeddingVectors(std::vector{at::ones({2, 3}), at::ones({3, 5})}),
                  sdx::InternalError);
  CHECK_THROWS_AS(EmbeddingVectors(at::ones({3})), sdx::InternalError);
}

TEST_CASE("embedding vectors: norms are over all encoders", "[embedding]") {
  // 6 ones and 10 twos; rows of length √3 and √20.
  CHECK(std::abs(pair().norm() - std::sqrt(6.0 + 40.0)) < 1e-6);
  CHECK(std::abs(pair().mean_row_norm() - (std::sqrt(3.0) + std::sqrt(20.0)) / 2) < 1e-6);
}

TEST_CASE("embedding vectors: equality is that of every matrix", "[embedding]") {
  const EmbeddingVectors other(std::vector{at::ones({2, 3}), at::zeros({2, 5})});
  CHECK(are_equal(pair(), pair().clone()));
  CHECK_FALSE(are_equal(pair(), other));
  CHECK(have_same_shapes(pair(), other));
  CHECK_FALSE(have_same_shapes(pair(), at::ones({2, 3})));
  CHECK_FALSE(are_equal(pair(), pair().matrix(0)));
}

TEST_CASE("embedding vectors: the first matrix has the old name in a file", "[embedding]") {
  sdx::TensorMap tensors;
  sdx::put_vectors(tensors, "adam.mean", pair());
  sdx::put_vectors(tensors, "vectors", at::ones({1, 4}));
  sdx::put_vectors(tensors, "best_vectors", {});
  REQUIRE(tensors.size() == 3);
  CHECK(tensors.at("adam.mean").size(1) == 3);
  CHECK(tensors.at("adam.mean.2").size(1) == 5);
  CHECK(are_equal(sdx::take_vectors(tensors, "adam.mean"), pair()));
  CHECK(sdx::take_vectors(tensors, "vectors").widths() == std::vector<std::int64_t>{4});
  CHECK_FALSE(sdx::take_vectors(tensors, "best_vectors").defined());
  tensors["adam.mean.2"] = at::ones({7, 5});
  CHECK(contains(catch_message<sdx::DataError>([&] { sdx::take_vectors(tensors, "adam.mean"); }),
                 "tensor \"adam.mean\""));
}
