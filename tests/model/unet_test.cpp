#include "sdx/model/unet.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/module.h>

#include <atomic>
#include <barrier>
#include <thread>

#include "sdx/tensor/allocation_meter.h"
#include "sdx/util/error.h"
#include "support/bare_unet.h"
#include "support/tensors.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::GradientMemory;
using sdx::test::noise;
using sdx::test::relative_difference;
using sdx::test::tiny_bundle;

namespace {

struct Step {
  at::Tensor output;
  at::Tensor sample_gradient;
  at::Tensor context_gradient;
  std::int64_t peak_bytes = 0;
};

Step run_step(const sdx::UNet& unet, std::int64_t batch, std::int64_t side, GradientMemory memory) {
  const at::Tensor sample = noise(1, {batch, 4, side, side}).set_requires_grad(true);
  const at::Tensor context =
      noise(2, {batch, 77, tiny_bundle().info().context_width()}).set_requires_grad(true);
  const at::Tensor timesteps = at::arange(batch, at::kLong) * 300 + 50;
  const at::Tensor weight = noise(3, sample.sizes());
  const sdx::AllocationMeter meter;
  Step step;
  step.output = unet.forward(sample, timesteps, {context}, memory);
  const auto gradients = torch::autograd::grad({(step.output * weight).sum()}, {sample, context});
  step.peak_bytes = meter.peak_bytes();
  step.sample_gradient = gradients[0];
  step.context_gradient = gradients[1];
  return step;
}

}  // namespace

TEST_CASE("model: low gradient memory changes neither the output nor the gradient", "[model]") {
  const sdx::UNet unet(tiny_bundle(), {});
  for (const std::int64_t batch : {1, 3}) {
    INFO("batch " << batch);
    const Step normal = run_step(unet, batch, 16, GradientMemory::kNormal);
    const Step low = run_step(unet, batch, 16, GradientMemory::kLow);
    CHECK(at::equal(low.output, normal.output));
    CHECK(relative_difference(low.context_gradient, normal.context_gradient) < 1e-6);
    CHECK(relative_difference(low.sample_gradient, normal.sample_gradient) < 1e-6);
    CHECK(low.peak_bytes < normal.peak_bytes * 3 / 4);
  }
  for (const at::Tensor& parameter : unet.parameters()) {
    CHECK_FALSE(parameter.requires_grad());
    CHECK_FALSE(parameter.grad().defined());
  }
}

TEST_CASE("model: low gradient memory without a gradient is the plain forward", "[model]") {
  const sdx::UNet unet(tiny_bundle(), {});
  const at::Tensor sample = noise(1, {2, 4, 9, 14});  // sides that no level divides evenly
  const at::Tensor context = noise(2, {2, 77, tiny_bundle().info().context_width()});
  const at::Tensor timesteps = at::arange(2, at::kLong);
  const at::Tensor low = unet.forward(sample, timesteps, {context}, GradientMemory::kLow);
  CHECK_FALSE(low.requires_grad());
  CHECK(at::equal(low, unet.forward(sample, timesteps, {context})));
}

TEST_CASE("model: low gradient memory needs the program's segments", "[model]") {
  const sdx::test::BareUNet bare;
  const sdx::UNet& unet = bare.unet;
  const at::Tensor sample = noise(1, {1, 4, 8, 8});
  CHECK(at::equal(unet.forward(sample, sample, {sample}), sample));
  const std::string message = sdx::test::catch_message<sdx::DataError>(
      [&] { unet.forward(sample, sample, {sample}, GradientMemory::kLow); });
  CHECK(sdx::test::contains(message, "unet.ts: has no method \"time\""));
  CHECK(sdx::test::contains(message, "`memory` normal"));
}

namespace {

/// A denoiser that takes all that SDXL takes, and says what it got.
sdx::Bundle save_conditioned(const std::filesystem::path& folder) {
  torch::jit::Module program("unet");
  program.define(
      "def time(self, timestep: Tensor, like: Tensor, pooled: Tensor, size_ids: Tensor) -> "
      "Tensor:\n"
      "    sums = torch.sum(pooled, [1]) * 1000 + torch.sum(size_ids, [1])\n"
      "    return torch.reshape(sums, [-1, 1, 1, 1])\n"
      "def down(self, sample: Tensor, emb: Tensor, context: Tensor) -> List[Tensor]:\n"
      "    return [sample]\n"
      "def mid(self, x: Tensor, emb: Tensor, context: Tensor) -> Tensor:\n"
      "    return x + emb\n"
      "def up_0(self, x: Tensor, skips: List[Tensor], emb: Tensor, context: Tensor) -> Tensor:\n"
      "    return x * 2\n"
      "def head(self, x: Tensor) -> Tensor:\n"
      "    return x + 1\n"
      "def forward(self, sample: Tensor, timestep: Tensor, context: Tensor, pooled: Tensor,\n"
      "            size_ids: Tensor) -> Tensor:\n"
      "    emb = self.time(timestep, sample, pooled, size_ids)\n"
      "    return (sample + emb) * 2 + 1\n"
      "def forward_keeping(self, sample: Tensor, timestep: Tensor, context: Tensor,\n"
      "                    pooled: Tensor, size_ids: Tensor) -> List[Tensor]:\n"
      "    return [self.forward(sample, timestep, context, pooled, size_ids), sample * 3]\n"
      "def forward_reusing(self, sample: Tensor, timestep: Tensor, context: Tensor,\n"
      "                    pooled: Tensor, size_ids: Tensor, features: Tensor) -> Tensor:\n"
      "    return self.time(timestep, sample, pooled, size_ids) + features\n");
  program.save((folder / "unet.ts").string());
  sdx::write_bundle_info(folder, tiny_bundle().info());
  return sdx::Bundle::open(folder);
}

}  // namespace

TEST_CASE("model: a UNet that takes pooled vectors and sizes gets them in every pass", "[model]") {
  const sdx::test::TempFolder folder;
  const sdx::UNet unet(save_conditioned(folder.path()), {});
  const at::Tensor sample = at::ones({2, 4, 2, 2});
  const at::Tensor timesteps = at::arange(2, at::kLong);
  const sdx::Conditioning conditioning{at::ones({2, 5, 3}),
                                       at::arange(2, at::kFloat).unsqueeze(1).expand({2, 3}),
                                       sdx::make_size_ids({20, 30}, 2)};
  // 2 × (30 + 20) is the sum of the size ids, 3 × row that of the pooled vectors.
  const auto expected = [&](double factor, double first, double second) {
    const at::Tensor rows = at::tensor({first, second}, at::kFloat).view({2, 1, 1, 1});
    return (rows * factor).expand({2, 4, 2, 2});
  };
  const at::Tensor whole = expected(1, 2 * 101 + 1, 2 * 3101 + 1);
  CHECK(at::equal(unet.forward(sample, timesteps, conditioning), whole));
  CHECK(at::equal(unet.forward(sample, timesteps, conditioning, GradientMemory::kLow), whole));
  const sdx::KeptPass kept = unet.forward_keeping(sample, timesteps, conditioning);
  CHECK(at::equal(kept.output, whole));
  CHECK(at::equal(unet.forward_reusing(sample, timesteps, conditioning, kept.features),
                  expected(1, 100 + 3, 3100 + 3)));
}

TEST_CASE("model: a UNet refuses a conditioning with more or less than it takes", "[model]") {
  const sdx::test::TempFolder folder;
  const sdx::UNet all(save_conditioned(folder.path()), {});
  const sdx::UNet plain(tiny_bundle(), {});
  const at::Tensor sample = at::ones({2, 4, 8, 8});
  const at::Tensor timesteps = at::arange(2, at::kLong);
  const at::Tensor context = at::ones({2, 77, tiny_bundle().info().context_width()});
  const at::Tensor pooled = at::ones({2, 3});
  const at::Tensor size_ids = at::ones({2, 6});
  const auto refusal = [&](const sdx::UNet& unet, const sdx::Conditioning& conditioning) {
    return sdx::test::catch_message<sdx::InternalError>(
        [&] { unet.forward(sample, timesteps, conditioning); });
  };
  using sdx::test::contains;
  CHECK(contains(refusal(all, {context, {}, size_ids}), "the model takes \"pooled\""));
  CHECK(contains(refusal(all, {context, pooled}), "the model takes \"size_ids\""));
  CHECK(contains(refusal(all, {{}, pooled, size_ids}), "the model takes \"context\""));
  CHECK(contains(refusal(plain, {context, pooled}), "the model takes no \"pooled\""));
  CHECK(contains(refusal(plain, {context, {}, size_ids}), "the model takes no \"size_ids\""));
  CHECK(contains(refusal(plain, {context.slice(0, 0, 1)}),
                 "\"context\": expected 2 rows, one for each sample, found 1"));
  CHECK_THROWS_AS(plain.forward_keeping(sample, timesteps, {context, pooled}), sdx::InternalError);
  CHECK_THROWS_AS(plain.forward_reusing(sample, timesteps, {context, pooled}, sample),
                  sdx::InternalError);
}

TEST_CASE("model: a UNet's program that takes something unknown is refused", "[model]") {
  const sdx::test::TempFolder folder;
  torch::jit::Module program("unet");
  program.define(
      "def forward(self, x: Tensor, t: Tensor, c: Tensor, guidance: Tensor) -> Tensor:\n"
      "    return x\n");
  program.save((folder.path() / "unet.ts").string());
  sdx::write_bundle_info(folder.path(), tiny_bundle().info());
  const sdx::Bundle bundle = sdx::Bundle::open(folder.path());
  CHECK(
      sdx::test::contains(sdx::test::catch_message<sdx::DataError>([&] { sdx::UNet(bundle, {}); }),
                          "unet.ts: \"forward\" takes \"guidance\""));
}

TEST_CASE("model: a UNet that two threads call at once says so", "[model]") {
  const sdx::UNet unet(tiny_bundle(), {});
  const at::Tensor sample = noise(1, {1, 4, 16, 16});
  const at::Tensor timesteps = at::arange(1, at::kLong);
  const sdx::Conditioning context{noise(2, {1, 77, tiny_bundle().info().context_width()})};
  constexpr int kMostCalls = 2000;
  std::atomic<bool> refused = false;
  std::barrier begin(2);
  const auto call = [&] {
    const at::NoGradGuard no_grad;
    begin.arrive_and_wait();
    for (int i = 0; i < kMostCalls && !refused; ++i) {
      try {
        unet.forward(sample, timesteps, context);
      } catch (const sdx::InternalError&) {
        refused = true;
      }
    }
  };
  std::thread other(call);
  call();
  other.join();
  CHECK(refused);
  const at::NoGradGuard no_grad;
  CHECK(unet.forward(sample, timesteps, context).sizes() == sample.sizes());
}
