#include "sdx/training/memory_estimate.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "sdx/tensor/allocation_meter.h"
#include "sdx/util/error.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::GradientMemory;
using sdx::test::catch_message;
using sdx::test::tiny_bundle;

namespace {

struct Models {
  sdx::TextEncoders text_encoders{tiny_bundle(), c10::DeviceType::CPU};
  sdx::UNet unet{tiny_bundle(), {}};

  double estimate(const sdx::StepShape& shape, GradientMemory memory) const {
    return static_cast<double>(sdx::estimate_memory(text_encoders, unet, shape, memory).step_bytes);
  }

  /// What lives at the peak of a real step.
  double truth(const sdx::StepShape& shape, GradientMemory memory) const {
    const at::Tensor ids = at::ones({shape.batch_size, 77}, at::kLong);
    const at::Tensor words = text_encoders.front().embed(ids).detach().set_requires_grad(true);
    const sdx::AllocationMeter meter;
    const at::Tensor output = unet.forward(
        at::zeros({shape.batch_size, 4, shape.latent_height, shape.latent_width}),
        at::zeros({shape.batch_size}, at::kLong), {text_encoders.front().encode(words)}, memory);
    torch::autograd::grad({output.pow(2).mean()}, {words});
    return static_cast<double>(meter.peak_bytes());
  }
};

}  // namespace

TEST_CASE("training: a step's memory is estimated within a quarter", "[training]") {
  const Models models;
  for (const GradientMemory memory : {GradientMemory::kNormal, GradientMemory::kLow}) {
    for (const int batch : {1, 3}) {
      for (const int side : {24, 48}) {
        const sdx::StepShape shape{batch, 0, side, side / 2};
        const double estimate = models.estimate(shape, memory);
        const double truth = models.truth(shape, memory);
        INFO("batch " << batch << ", side " << side << ": " << estimate << " against " << truth);
        CHECK(std::abs(estimate - truth) < 0.25 * truth);
      }
    }
  }
}

TEST_CASE("training: a large batch without a gradient can be what needs the memory", "[training]") {
  const Models models;
  sdx::StepShape shape{1, 0, 32, 32};
  const double step_alone = models.estimate(shape, GradientMemory::kLow);
  shape.without_gradient = 200;
  CHECK(models.estimate(shape, GradientMemory::kLow) > 2 * step_alone);
}

TEST_CASE("training: the estimate's total has the process as it is", "[training]") {
  const Models models;
  const sdx::MemoryEstimate estimate =
      sdx::estimate_memory(models.text_encoders, models.unet, {}, GradientMemory::kNormal);
  CHECK(estimate.resident_bytes > 50'000'000);  // libtorch alone
  CHECK(estimate.total_bytes() == estimate.resident_bytes + estimate.step_bytes);
}

TEST_CASE("training: a step that cannot fit is refused with what to lower", "[training]") {
  constexpr std::int64_t kGigabyte = 1'000'000'000;
  const sdx::MemoryEstimate estimate{2 * kGigabyte, 8 * kGigabyte};
  CHECK_NOTHROW(sdx::require_memory(estimate, 9 * kGigabyte, 4, GradientMemory::kNormal));
  CHECK_NOTHROW(sdx::require_memory(estimate, 6 * kGigabyte, 4, GradientMemory::kNormal));
  const auto refusal = [&](int batch, GradientMemory memory) {
    return catch_message<sdx::TryAgainError>(
        [&] { sdx::require_memory(estimate, 5 * kGigabyte, batch, memory); });
  };
  const std::string normal = refusal(4, GradientMemory::kNormal);
  CHECK_THAT(normal, ContainsSubstring("lower `batch` (it is 4)") &&
                         ContainsSubstring("`memory` low") && ContainsSubstring("are free"));
  const std::string low = refusal(1, GradientMemory::kLow);
  CHECK_THAT(low, !ContainsSubstring("`batch`") && !ContainsSubstring("`memory` low") &&
                      ContainsSubstring("`model`"));
}
