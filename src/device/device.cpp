#include "sdx/device/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <optional>

#include "sdx/util/error.h"
#include "sdx/util/memory.h"

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
  throw SettingError("device", "auto, cpu, cuda or cuda:N", text);
}

constexpr std::array kPrecisions = {at::kFloat, at::kBFloat16, at::kHalf};

/// Nothing for "auto".
std::optional<c10::ScalarType> parse_precision(const std::string& text) {
  if (text == "auto") return std::nullopt;
  for (const c10::ScalarType dtype : kPrecisions) {
    if (text == precision_name(dtype)) return dtype;
  }
  throw SettingError("dtype", "auto, fp32, bf16 or fp16", text);
}

void check_cuda(const c10::Device& device, const std::string& text) {
  const int count = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
  if (at::hasCUDA() && device.index() < count) return;
  throw UnavailableError("`device` " + text + ": this machine has " + std::to_string(count) +
                         " CUDA devices that libtorch can use; `device` cpu works everywhere");
}

/// oneDNN's kernels need AVX-512 or newer for it; with its bfloat16 instructions they are fast.
bool cpu_computes_in_bfloat16() {
  if (!at::hasMKLDNN()) return false;
  torch::jit::Stack result;
  c10::Dispatcher::singleton()
      .findSchemaOrThrow("mkldnn::_is_mkldnn_bf16_supported", "")
      .callBoxed(result);
  return result.front().toBool();
}

}  // namespace

ComputeTarget choose_target(const std::string& device_text, const std::string& dtype_text) {
  const c10::Device device = parse_device(device_text);
  const std::optional<c10::ScalarType> dtype = parse_precision(dtype_text);
  if (device.is_cuda()) {
    check_cuda(device, device_text);
    return {device, dtype.value_or(at::kHalf)};
  }
  if (dtype == at::kHalf || (dtype == at::kBFloat16 && !cpu_computes_in_bfloat16())) {
    throw UnavailableError("`dtype` " + dtype_text +
                           ": this processor cannot compute in it; `dtype` fp32 works everywhere");
  }
  return {device, dtype.value_or(at::kFloat)};
}

std::string_view precision_name(c10::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "fp32";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "fp16";
    default:
      throw InternalError(std::string("no model computes in ") + c10::toString(dtype));
  }
}

std::int64_t available_bytes(const c10::Device& device) {
  if (device.is_cpu()) return available_memory_bytes();
  const c10::Device known =
      device.has_index() ? device : c10::impl::VirtualGuardImpl(device.type()).getDevice();
  const auto [free, total] = c10::getDeviceAllocator(known.type())->getMemoryInfo(known.index());
  return static_cast<std::int64_t>(free);
}

void set_compute_threads(int threads) {
  if (threads > 0) at::set_num_threads(threads);
}

int compute_threads() { return at::get_num_threads(); }

}  // namespace sdx
