#include "sdx/image/identity.h"

#include "support/catch.h"

TEST_CASE("cosine of unit vectors") {
  CHECK(sdx::cosine({0.6F, 0.8F}, {0.6F, 0.8F}) == Approx(1.0));
  CHECK(sdx::cosine({0.6F, 0.8F}, {0.8F, -0.6F}) == Approx(0.0).margin(1e-7));
  CHECK(sdx::cosine({0.6F, 0.8F}, {-0.6F, -0.8F}) == Approx(-1.0));
}
