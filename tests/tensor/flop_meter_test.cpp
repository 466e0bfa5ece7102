#include "sdx/tensor/flop_meter.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <thread>

#include "sdx/model/unet.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::FlopMeter;

namespace {

double count_flops(const std::function<void()>& work) {
  const FlopMeter meter;
  work();
  return meter.flops();
}

}  // namespace

TEST_CASE("flop meter: every kind of product counts by its formula", "[tensor]") {
  const at::NoGradGuard no_grad;
  const at::Tensor a = at::randn({3, 5});
  const at::Tensor b = at::randn({5, 7});
  CHECK(count_flops([&] { at::matmul(a, b); }) == 2 * 3 * 5 * 7);
  CHECK(count_flops([&] { at::addmm(at::randn({7}), a, b); }) == 2 * 3 * 5 * 7);
  CHECK(count_flops([&] { at::linear(a, b.t(), at::randn({7})); }) == 2 * 3 * 5 * 7);
  const at::Tensor left = at::randn({4, 3, 5});
  const at::Tensor right = at::randn({4, 5, 7});
  CHECK(count_flops([&] { at::matmul(left, right); }) == 4 * 2 * 3 * 5 * 7);
  CHECK(count_flops([&] { at::baddbmm(at::randn({4, 3, 7}), left, right); }) == 4 * 2 * 3 * 5 * 7);
  // Stride 2 leaves 4 × 4 values of each of 6 channels, each of 3 × 3 × 2 products.
  CHECK(count_flops([&] {
          at::conv2d(at::randn({2, 2, 8, 8}), at::randn({6, 2, 3, 3}), {}, {2, 2}, {1, 1});
        }) == 2 * 2 * 6 * 4 * 4 * (3 * 3 * 2));
  CHECK(count_flops([&] {
          at::conv2d(at::randn({1, 2, 8, 8}), at::randn({6, 2, 1, 1}));
        }) == 2 * 6 * 8 * 8 * 2);
  const at::Tensor query = at::randn({2, 3, 10, 8});
  const at::Tensor key = at::randn({2, 3, 6, 8});
  const double attention = 2 * 2 * 2 * 3 * 10 * 6 * 8;
  CHECK(count_flops([&] { at::scaled_dot_product_attention(query, key, key); }) == attention);
}

TEST_CASE("flop meter: the gradient in the input costs as much as the way there", "[tensor]") {
  const at::AutoGradMode with_gradient(true);
  const auto both = [](const at::Tensor& input,
                       const std::function<at::Tensor(const at::Tensor&)>& work) {
    const at::Tensor x = input.set_requires_grad(true);
    return count_flops([&] { torch::autograd::grad({work(x).sum()}, {x}); });
  };
  CHECK(both(at::randn({3, 5}), [](const at::Tensor& x) {
          return at::linear(x, at::ones({7, 5}));
        }) == 2 * (2 * 3 * 5 * 7));
  CHECK(both(at::randn({1, 2, 8, 8}), [](const at::Tensor& x) {
          return at::conv2d(x, at::ones({6, 2, 3, 3}), {}, {1, 1}, {1, 1});
        }) == 2 * (2 * 6 * 8 * 8 * 18));
  const double attention = 2 * 2 * 10 * 10 * 8;
  CHECK(both(at::randn({1, 1, 10, 8}), [](const at::Tensor& x) {
          return at::scaled_dot_product_attention(x, x, x);
        }) == 3 * attention);
}

TEST_CASE("flop meter: nothing else counts, and nothing after its end", "[tensor]") {
  const FlopMeter meter;
  at::randn({4, 4}).add(1).softmax(1);
  CHECK(meter.flops() == 0);
  const double inner = count_flops([] { at::matmul(at::ones({2, 2}), at::ones({2, 2})); });
  CHECK(inner == 16);
  CHECK(meter.flops() == 16);
  std::thread([] { at::matmul(at::ones({2, 2}), at::ones({2, 2})); }).join();
  CHECK(meter.flops() == 32);
}

TEST_CASE("flop meter: a model's program is seen through, and rows count alike", "[tensor]") {
  const at::NoGradGuard no_grad;
  const sdx::UNet unet(sdx::test::tiny_bundle(), {});
  const auto flops = [&](std::int64_t rows) {
    const at::Tensor sample = at::randn({rows, 4, 8, 8});
    const at::Tensor context =
        at::randn({rows, 77, sdx::test::tiny_bundle().info().context_width()});
    return count_flops([&] { unet.forward(sample, at::full({rows}, 10, at::kFloat), {context}); });
  };
  CHECK(flops(1) > 1e6);
  CHECK(flops(3) == 3 * flops(1));
}
