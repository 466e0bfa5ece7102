#include "model/gradient_range.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include "sdx/model/unet.h"
#include "support/mini_bundle.h"
#include "support/tensors.h"

#include "support/catch.h"

using sdx::test::noise;
using sdx::test::relative_difference;

TEST_CASE("model: a gradient that float16 cannot hold comes through", "[model]") {
  const at::Tensor x = noise(1, {64}).set_requires_grad(true);
  const at::Tensor small = noise(2, {64}) * 1e-9;
  const sdx::GradientRange range;
  const at::Tensor y = range.after((range.before(x).to(at::kHalf) * 3).to(at::kFloat));
  CHECK(relative_difference(y.detach(), x.detach() * 3) < 1e-3);
  const at::Tensor gradient = torch::autograd::grad({y}, {x}, {small}).front();
  CHECK(relative_difference(gradient, small * 3) < 1e-3);
}

TEST_CASE("model: a gradient of zeros stays one", "[model]") {
  const at::Tensor x = noise(1, {8}).set_requires_grad(true);
  const sdx::GradientRange range;
  const at::Tensor y = range.after(range.before(x).to(at::kHalf).to(at::kFloat));
  CHECK(at::equal(torch::autograd::grad({y}, {x}, {at::zeros({8})}).front(), at::zeros({8})));
}

TEST_CASE("model: the UNet's gradient in float16 is that in float32, however small", "[model]") {
  const sdx::Bundle bundle = sdx::test::mini_bundle();
  const at::Tensor sample = noise(1, {2, bundle.info().latent_channels, 16, 16});
  const at::Tensor timesteps = at::arange(2, at::kLong) * 300 + 50;
  const at::Tensor target = noise(3, sample.sizes());
  const auto gradient_in = [&](at::ScalarType dtype, double factor) {
    const sdx::UNet unet(bundle, {c10::Device("cpu"), dtype});
    const at::Tensor context =
        noise(2, {2, 16, bundle.info().context_width()}).set_requires_grad(true);
    const at::Tensor loss =
        (unet.forward(sample, timesteps, {context}) - target).pow(2).mean() * factor;
    return torch::autograd::grad({loss}, {context}).front() / factor;
  };
  constexpr double kAsOf512Pixels = 1.0 / 64;  // the mean over a larger picture is so much smaller
  constexpr double kBelowFloat16 = 0x1p-30;    // powers of two, so that nothing is rounded
  const at::Tensor gradient = gradient_in(at::kHalf, kAsOf512Pixels);
  // Float16 rounds in every layer; how much of it is left here, the weights decide.
  CHECK(relative_difference(gradient, gradient_in(at::kFloat, 1)) < 0.05);
  CHECK(at::equal(gradient, gradient_in(at::kHalf, kBelowFloat16)));
}
