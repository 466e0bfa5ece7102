#include "sdx/util/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "sdx/util/error.h"

namespace sdx {

namespace {

c10::Device parse_device(const std::string& text) {
  if (text == "auto") return at::hasCUDA() ? c10::DeviceType::CUDA : c10::DeviceType::CPU;
  try {
    const c10::Device device(text);
    if (device.is_cpu() || device.is_cuda()) return device;
  } catch (const c10::Error&) {
    // Said below, in the words of the flag.
  }
  throw UsageError("--device: expected auto, cpu, cuda or cuda:N, found \"" + text + "\"");
}

}  // namespace

ComputeTarget choose_target(const std::string& text) {
  const c10::Device device = parse_device(text);
  if (device.is_cpu()) return {device, c10::ScalarType::Float};
  const int count = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
  if (!at::hasCUDA() || device.index() >= count) {
    throw UnavailableError("--device " + text + ": this machine has " + std::to_string(count) +
                           " CUDA devices that libtorch can use; --device cpu works everywhere");
  }
  return {device, c10::ScalarType::Half};
}

void set_compute_threads(int threads) {
  if (threads > 0) at::set_num_threads(threads);
}

}  // namespace sdx
