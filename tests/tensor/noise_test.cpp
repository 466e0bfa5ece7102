#include "sdx/tensor/noise.h"

#include <ATen/ops/equal.h>

#include "support/catch.h"

TEST_CASE("tensor: noise is the stream's numbers in row-major order", "[tensor]") {
  sdx::RandomStream a(5, sdx::RandomPurpose::kInitialLatents);
  sdx::RandomStream b(5, sdx::RandomPurpose::kInitialLatents);
  const at::Tensor noise = sdx::normal_noise({2, 3}, a);
  REQUIRE(noise.scalar_type() == at::kFloat);
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t column = 0; column < 3; ++column) {
      CHECK(noise[row][column].item<float>() == b.normal());
    }
  }
  CHECK_FALSE(at::equal(noise, sdx::normal_noise({2, 3}, a)));
}
