#include "sdx/training/stop_rule.h"

#include <cmath>

#include "support/catch.h"

using sdx::has_settled;
using sdx::Measurement;

namespace {

/// A curve measured every 10 steps that falls exponentially, with a little noise.
std::vector<Measurement> falling(int steps, double time_constant, double noise = 0) {
  std::vector<Measurement> curve;
  for (int step = 0; step <= steps; step += 10) {
    const double wiggle = noise * std::sin(step * 1.7);
    curve.push_back({step, 0.03 + 0.1 * std::exp(-step / time_constant) + wiggle});
  }
  return curve;
}

}  // namespace

TEST_CASE("stop rule: a curve that falls goes on, one that is flat has settled", "[training]") {
  CHECK_FALSE(has_settled(falling(300, 1000), 100));
  CHECK(has_settled(falling(300, 30), 100));
  CHECK(has_settled(falling(300, 30, 0.002), 100));
}

TEST_CASE("stop rule: before twice the window nothing has settled", "[training]") {
  CHECK_FALSE(has_settled({}, 100));
  CHECK_FALSE(has_settled(falling(190, 10), 100));
  CHECK(has_settled(falling(200, 10), 100));
}

TEST_CASE("stop rule: a curve that never moved goes on to its last step", "[training]") {
  const std::vector<Measurement> noise = falling(400, 1e-3, 0.002);
  CHECK_FALSE(has_settled({noise.begin() + 1, noise.end()}, 100));
}
