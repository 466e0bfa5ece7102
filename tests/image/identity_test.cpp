#include "sdx/image/identity.h"

#include <cmath>

#include "support/catch.h"

TEST_CASE("identity: the cosine of unit vectors", "[image]") {
  CHECK(std::abs(sdx::cosine({0.6F, 0.8F}, {0.6F, 0.8F}) - 1) < 1e-6);
  CHECK(std::abs(sdx::cosine({0.6F, 0.8F}, {0.8F, -0.6F})) < 1e-6);
  CHECK(std::abs(sdx::cosine({0.6F, 0.8F}, {-0.6F, -0.8F}) + 1) < 1e-6);
}

TEST_CASE("identity: the mean of unit vectors is one", "[image]") {
  const auto mean = sdx::unit_mean({{1, 0}, {0, 1}, {0, 1}});  // (1, 2) / √5
  CHECK(std::abs(mean.at(0) - 0.4472136F) < 1e-6F);
  CHECK(std::abs(mean.at(1) - 0.8944272F) < 1e-6F);
  CHECK(sdx::unit_mean({}).empty());
}

TEST_CASE("identity: the median of an even number is the upper one", "[image]") {
  CHECK(sdx::median({0.5}) == 0.5);
  CHECK(sdx::median({0.9, -0.2, 0.4}) == 0.4);
  CHECK(sdx::median({0.9, -0.2, 0.4, 0.1}) == 0.4);
}
