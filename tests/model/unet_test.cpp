#include "sdx/model/unet.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/module.h>

#include <atomic>
#include <barrier>
#include <thread>

#include "sdx/tensor/allocation_meter.h"
#include "sdx/util/error.h"
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
      noise(2, {batch, 77, tiny_bundle().info().text_width}).set_requires_grad(true);
  const at::Tensor timesteps = at::arange(batch, at::kLong) * 300 + 50;
  const at::Tensor weight = noise(3, sample.sizes());
  const sdx::AllocationMeter meter;
  Step step;
  step.output = unet.forward(sample, timesteps, context, memory);
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
  const at::Tensor context = noise(2, {2, 77, tiny_bundle().info().text_width});
  const at::Tensor timesteps = at::arange(2, at::kLong);
  const at::Tensor low = unet.forward(sample, timesteps, context, GradientMemory::kLow);
  CHECK_FALSE(low.requires_grad());
  CHECK(at::equal(low, unet.forward(sample, timesteps, context)));
}

TEST_CASE("model: low gradient memory needs the program's segments", "[model]") {
  const sdx::test::TempFolder folder;
  torch::jit::Module program("unet");
  program.define(
      "def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:\n"
      "    return sample\n");
  program.save((folder.path() / "unet.ts").string());
  sdx::write_bundle_info(folder.path(), tiny_bundle().info());
  const sdx::UNet unet(sdx::Bundle::open(folder.path()), {});
  const at::Tensor sample = noise(1, {1, 4, 8, 8});
  CHECK(at::equal(unet.forward(sample, sample, sample), sample));
  const std::string message = sdx::test::message_of<sdx::DataError>(
      [&] { unet.forward(sample, sample, sample, GradientMemory::kLow); });
  CHECK(sdx::test::contains(message, "unet.ts: has no method \"time\""));
  CHECK(sdx::test::contains(message, "--memory normal"));
}

TEST_CASE("model: a UNet that two threads call at once says so", "[model]") {
  const sdx::UNet unet(tiny_bundle(), {});
  const at::Tensor sample = noise(1, {1, 4, 16, 16});
  const at::Tensor timesteps = at::arange(1, at::kLong);
  const at::Tensor context = noise(2, {1, 77, tiny_bundle().info().text_width});
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
