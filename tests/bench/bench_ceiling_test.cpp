#include "cli/bench/bench_ceiling.h"

#include "support/catch.h"

using sdx::ceiling_types;
using Types = std::vector<c10::ScalarType>;

TEST_CASE("bench: the ceiling of what is computed in is measured") {
  const c10::Device gpu("cuda:0");
  CHECK(ceiling_types({gpu, at::kHalf, {}}) == Types{at::kFloat, at::kHalf});
  CHECK(ceiling_types({gpu, at::kFloat, {}}) == Types{at::kFloat});
  // Turing has no bfloat16 to be asked for.
  CHECK(ceiling_types({gpu, at::kBFloat16, {}}) == Types{at::kFloat, at::kBFloat16});
  const c10::Device processor("cpu");
  CHECK(ceiling_types({processor, at::kFloat, {}}) == Types{at::kFloat, at::kBFloat16});
  CHECK(ceiling_types({processor, at::kBFloat16, {}}) == Types{at::kFloat, at::kBFloat16});
}

TEST_CASE("bench: a GPU is measured with more than a wait takes") {
  const auto& shapes = sdx::ceiling_shapes(c10::Device("cuda:0"));
  CHECK(shapes.front().rows == 8192);
  CHECK(sdx::ceiling_shapes(c10::Device("cpu")).front().rows == 4096);
}

TEST_CASE("bench: a product's rate") {
  CHECK(sdx::best_product_rate(c10::Device("cpu"), at::kFloat, {{64, 64, 64}}) > 0);
}
