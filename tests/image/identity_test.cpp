#include "sdx/image/identity.h"

#include <cmath>

#include "support/catch.h"

TEST_CASE("identity: the cosine of unit vectors", "[image]") {
  CHECK(std::abs(sdx::cosine({0.6F, 0.8F}, {0.6F, 0.8F}) - 1) < 1e-6);
  CHECK(std::abs(sdx::cosine({0.6F, 0.8F}, {0.8F, -0.6F})) < 1e-6);
  CHECK(std::abs(sdx::cosine({0.6F, 0.8F}, {-0.6F, -0.8F}) + 1) < 1e-6);
}
