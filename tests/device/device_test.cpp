#include "sdx/device/device.h"

#include <ATen/Context.h>

#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::choose_target;
using sdx::test::catch_message;
using sdx::test::contains;

TEST_CASE("device: the processor computes in float32 unless asked otherwise", "[device]") {
  CHECK(choose_target("cpu", "auto").dtype == at::kFloat);
  CHECK(choose_target("cpu", "fp32").dtype == at::kFloat);
  CHECK(choose_target("cpu", "auto").device.is_cpu());
}

TEST_CASE("device: devices and types that are not there", "[device]") {
  CHECK(contains(catch_message<sdx::UsageError>([] { choose_target("tpu", "auto"); }),
                 "`device`: expected auto, cpu, cuda or cuda:N, found \"tpu\""));
  CHECK(contains(catch_message<sdx::UsageError>([] { choose_target("cpu", "fp8"); }),
                 "`dtype`: expected auto, fp32, bf16 or fp16, found \"fp8\""));
  CHECK(contains(catch_message<sdx::UnavailableError>([] { choose_target("cpu", "fp16"); }),
                 "`dtype` fp16: this processor cannot compute in it"));
  CHECK(contains(catch_message<sdx::UnavailableError>([] { choose_target("cuda:77", "auto"); }),
                 "`device` cuda:77: this machine has"));
}

TEST_CASE("device: the processor's free memory is the system's", "[device]") {
  const std::int64_t found = sdx::available_bytes(c10::Device("cpu"));
  CHECK(found > 0);
  CHECK(found < std::int64_t{1} << 44);
}
