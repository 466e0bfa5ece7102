#include "sdx/generation/noise.h"

#include <ATen/ops/equal.h>

#include <cmath>

#include "support/tiny_bundle.h"

#include "support/catch.h"

TEST_CASE("noise: a seed's noise is its own", "[generation]") {
  const at::Tensor noise = sdx::seed_latents(7, 4, 8, 8);
  CHECK(at::equal(noise, sdx::seed_latents(7, 4, 8, 8)));
  CHECK_FALSE(at::equal(noise, sdx::seed_latents(8, 4, 8, 8)));
  CHECK(std::abs(noise.mean().item<double>()) < 0.2);
  CHECK(std::abs(noise.std().item<double>() - 1) < 0.2);
}

TEST_CASE("noise: passes and draws share none", "[generation]") {
  const auto noise = [](sdx::Pass pass, int draw) {
    return sdx::sampler_noise(7, pass, draw, 4, 2, 2);
  };
  const at::Tensor first = noise(sdx::Pass::kFirst, 0);
  CHECK(at::equal(first, noise(sdx::Pass::kFirst, 0)));
  CHECK_FALSE(at::equal(first, noise(sdx::Pass::kFirst, 1)));
  CHECK_FALSE(at::equal(first, noise(sdx::Pass::kHires, 0)));
  CHECK_FALSE(at::equal(first, sdx::seed_latents(7, 4, 2, 2)));
}

TEST_CASE("noise: the way between two seeds keeps the variance", "[generation]") {
  const at::Tensor a = sdx::seed_latents(1, 4, 32, 32);
  const at::Tensor b = sdx::seed_latents(2, 4, 32, 32);
  CHECK(sdx::test::max_difference(sdx::spherical_interpolation(a, b, 0), a) < 1e-5);
  CHECK(sdx::test::max_difference(sdx::spherical_interpolation(a, b, 1), b) < 1e-5);
  const at::Tensor middle = sdx::spherical_interpolation(a, b, 0.5);
  CHECK(std::abs(middle.std().item<double>() - 1) < 0.05);
  CHECK(sdx::test::max_difference(sdx::spherical_interpolation(a, a, 0.5), a) < 1e-5);
}
