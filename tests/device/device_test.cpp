#include "sdx/device/device.h"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/equal.h>

#include <functional>
#include <stdexcept>

#include "sdx/device/transfer.h"
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

namespace {

/// A machine with GPUs that say `answer` of a target: nothing, or why they cannot compute.
sdx::Machine machine_with(int gpus,
                          const std::function<std::string(const sdx::ComputeTarget&)>& answer) {
  sdx::Machine machine;
  machine.gpus = gpus;
  machine.has_gpu_driver = gpus > 0;
  machine.try_out = [answer](const sdx::ComputeTarget& target) {
    const std::string reason = answer(target);
    if (!reason.empty()) throw std::runtime_error(reason);
  };
  return machine;
}

std::string say_nothing(const sdx::ComputeTarget&) { return ""; }

std::string have_no_kernels(const sdx::ComputeTarget&) {
  return "CUDA error: no kernel image is available for execution on the device\nCompile with";
}

}  // namespace

TEST_CASE("device: a GPU that computes is taken, with its index", "[device]") {
  const sdx::Machine machine = machine_with(2, say_nothing);
  CHECK(choose_target("auto", "auto", machine).device == c10::Device("cuda:0"));
  CHECK(choose_target("auto", "auto", machine).dtype == at::kHalf);
  CHECK(choose_target("cuda", "fp32", machine).device == c10::Device("cuda:0"));
  CHECK(choose_target("cuda:1", "bf16", machine).device == c10::Device("cuda:1"));
  CHECK(choose_target("auto", "auto", machine).remark.empty());
  CHECK(contains(
      catch_message<sdx::UnavailableError>([&] { choose_target("cuda:2", "auto", machine); }),
      "`device` cuda:2: this machine has 2 CUDA devices"));
}

TEST_CASE("device: a GPU without kernels is passed over by auto, and named where asked for",
          "[device]") {
  const sdx::Machine machine = machine_with(1, have_no_kernels);
  const sdx::ComputeTarget target = choose_target("auto", "auto", machine);
  CHECK(target.device.is_cpu());
  CHECK(target.dtype == at::kFloat);
  CHECK(contains(target.remark,
                 "Computing on the processor: `device` cuda:0: it cannot compute "
                 "(CUDA error: no kernel image is available"));
  CHECK_FALSE(contains(target.remark, "Compile with"));
  CHECK(contains(
      catch_message<sdx::UnavailableError>([&] { choose_target("cuda", "auto", machine); }),
      "no kernel image"));
}

TEST_CASE("device: a type that a GPU lacks is named with one that it has", "[device]") {
  const sdx::Machine turing = machine_with(1, [](const sdx::ComputeTarget& target) {
    return target.dtype == at::kBFloat16 ? "unable to find an engine" : "";
  });
  CHECK(catch_message<sdx::UnavailableError>([&] { choose_target("cuda", "bf16", turing); }) ==
        "`dtype` bf16: this GPU cannot compute in it (unable to find an engine); `dtype` fp16 "
        "works on it");
}

TEST_CASE("device: a GPU whose memory is taken is a matter of time", "[device]") {
  for (const char* reason : {"CUDA out of memory. Tried to allocate 2.00 MiB",
                             "CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate",
                             "CUDA-capable device(s) is/are busy or unavailable"}) {
    const sdx::Machine machine =
        machine_with(1, [reason](const sdx::ComputeTarget&) { return reason; });
    CHECK_THROWS_AS(choose_target("auto", "auto", machine), sdx::TryAgainError);
    CHECK_THROWS_AS(choose_target("cuda", "auto", machine), sdx::TryAgainError);
  }
}

TEST_CASE("device: a GPU that libtorch does not see is spoken of", "[device]") {
  sdx::Machine machine = machine_with(0, say_nothing);
  CHECK(choose_target("auto", "auto", machine).remark.empty());
  machine.has_gpu_driver = true;
  CHECK(contains(choose_target("auto", "auto", machine).remark, "a GPU is here, but libtorch"));
  CHECK(choose_target("cpu", "auto", machine).remark.empty());
}

TEST_CASE("device: an expanded tensor is made ready to be pinned", "[device]") {
  const at::Tensor row = at::arange(3, at::kFloat);
  const at::Tensor ready = sdx::make_ready_to_pin(row.expand({4, 3}));
  CHECK(ready.strides() == c10::IntArrayRef({3, 1}));
  CHECK(at::equal(ready, row.expand({4, 3})));
  // What libtorch does when it pins: a tensor of the same strides, written into.
  CHECK_NOTHROW(at::empty_strided(ready.sizes(), ready.strides(), row.options()).copy_(ready));
}

TEST_CASE("device: the processor's free memory is the system's", "[device]") {
  const std::int64_t found = sdx::available_bytes(c10::Device("cpu"));
  CHECK(found > 0);
  CHECK(found < std::int64_t{1} << 44);
}
