#include "sdx/tensor/allocation_meter.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include "support/catch.h"

TEST_CASE("tensor: the meter counts what lives at one time, of its own scope", "[tensor]") {
  const at::Tensor before = at::zeros({1000}, at::kFloat);
  const sdx::AllocationMeter meter;
  CHECK(meter.peak_bytes() == 0);
  at::Tensor kept = at::zeros({256}, at::kFloat);
  for (int i = 0; i < 5; ++i) at::zeros({1024}, at::kFloat);
  CHECK(meter.peak_bytes() == (256 + 1024) * 4);
  {
    const sdx::AllocationMeter inner;
    const at::Tensor more = at::zeros({4096}, at::kFloat);
    CHECK(inner.peak_bytes() == 4096 * 4);
  }
  kept.reset();
  const at::Tensor larger = at::zeros({1024 + 64}, at::kFloat);
  CHECK(meter.peak_bytes() == (256 + 1024) * 4);
}
