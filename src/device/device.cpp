#include "sdx/device/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/ones.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <vector>

#include "sdx/util/error.h"
#include "sdx/util/failure.h"
#include "sdx/util/memory.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr const char* kAuto = "auto";

/// Nothing for "auto".
std::optional<c10::Device> parse_device(const std::string& text) {
  if (text == kAuto) return std::nullopt;
  try {
    const c10::Device device(text);
    if (device.is_cpu()) return device;
    if (device.is_cuda())
      return c10::Device(device.type(), device.has_index() ? device.index() : 0);
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

/// oneDNN's kernels need AVX-512 or newer for it; with its bfloat16 instructions they are fast.
bool cpu_computes_in_bfloat16() {
  if (!at::hasMKLDNN()) return false;
  torch::jit::Stack result;
  c10::Dispatcher::singleton()
      .findSchemaOrThrow("mkldnn::_is_mkldnn_bf16_supported", "")
      .callBoxed(result);
  return result.front().toBool();
}

/// Why the GPU cannot compute this, in its own words; nothing if it can.
/// @throws TryAgainError if its memory is taken.
std::optional<std::string> find_hindrance(const Machine& machine, const ComputeTarget& target) {
  try {
    machine.try_out(target);
    return std::nullopt;
  } catch (const std::exception& error) {
    const std::string text = to_failure(std::current_exception()).text;
    const bool is_busy = text.find("busy or unavailable") != text.npos;
    if (out_of_memory(error) || is_busy) {
      throw TryAgainError("`device` " + target.device.str() + ": other programs hold it (" +
                          text.substr(0, text.find('\n')) + "); `device` cpu works meanwhile");
    }
    return text.substr(0, text.find('\n'));
  }
}

/// @throws UnavailableError for a type that the processor cannot compute in.
ComputeTarget target_processor(const std::optional<c10::ScalarType>& dtype,
                               const Machine& machine) {
  if (dtype == at::kHalf || (dtype == at::kBFloat16 && !machine.processor_has_bfloat16)) {
    throw UnavailableError("`dtype` " + std::string(precision_name(*dtype)) +
                           ": this processor cannot compute in it; `dtype` fp32 works everywhere");
  }
  return {c10::Device(c10::DeviceType::CPU), dtype.value_or(at::kFloat), {}};
}

/// @throws UnavailableError for a GPU that is not there or cannot compute.
ComputeTarget target_gpu(const c10::Device& device, const std::optional<c10::ScalarType>& dtype,
                         const Machine& machine) {
  const std::string name = "`device` " + device.str() + ": ";
  if (device.index() >= machine.gpus) {
    throw UnavailableError(name + "this machine has " + std::to_string(machine.gpus) +
                           " CUDA devices that libtorch can use; `device` cpu works everywhere");
  }
  const ComputeTarget target = {device, dtype.value_or(at::kHalf), {}};
  const auto hindrance = find_hindrance(machine, target);
  if (!hindrance && machine.has_played_gpus) return target_processor(dtype, machine);
  if (!hindrance) return target;
  if (target.dtype != at::kHalf && !find_hindrance(machine, {device, at::kHalf, {}})) {
    throw UnavailableError("`dtype` " + std::string(precision_name(target.dtype)) +
                           ": this GPU cannot compute in it (" + *hindrance +
                           "); `dtype` fp16 works on it");
  }
  throw UnavailableError(name + "it cannot compute (" + *hindrance +
                         "); `device` cpu works everywhere, and an older GPU needs a libtorch for "
                         "an older CUDA");
}

void compute_once(const ComputeTarget& target) {
  c10::impl::VirtualGuardImpl(target.device.type()).setDevice(target.device);
  // By default cuDNN's convolutions of float32 round to 10 bits on Ampere and newer.
  if (target.dtype == at::kFloat) at::globalContext().setAllowTF32CuDNN(false);
  const auto options = at::TensorOptions().device(target.device).dtype(target.dtype);
  const at::Tensor image = at::ones({1, 8, 8, 8}, options);
  at::conv2d(image, at::ones({8, 8, 3, 3}, options)).sum().item<double>();
}

/// What each of the played GPUs says, of those that are visible; see kPlayedGpus.
std::vector<std::string> list_played_gpus() {
  const char* const played = std::getenv(kPlayedGpus);
  const std::vector<std::string> all = split_list(played == nullptr ? "" : played, ',');
  const char* const visible = std::getenv(kVisibleGpus);
  if (visible == nullptr) return all;
  std::vector<std::string> seen;
  for (const std::string& number : split_list(visible, ',')) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (std::to_string(i) == number) seen.push_back(all[i]);
    }
  }
  return seen;
}

void add_played_gpus(Machine& machine) {
  const std::vector<std::string> gpus = list_played_gpus();
  if (gpus.empty()) return;
  machine.gpus = static_cast<int>(gpus.size());
  machine.has_played_gpus = true;
  machine.try_out = [gpus](const ComputeTarget& target) {
    const std::string& answer = gpus.at(static_cast<std::size_t>(target.device.index()));
    if (answer != "fine") throw std::runtime_error(answer);
  };
}

/// The device, and if none is named of its type, the present one.
c10::Device with_index(const c10::Device& device) {
  return device.has_index() ? device : c10::impl::VirtualGuardImpl(device.type()).getDevice();
}

/// Of a device's memory, by libtorch's count.
struct MemoryUse {
  c10::CachingAllocator::Stat reserved;  ///< taken from the device
  c10::CachingAllocator::Stat active;    ///< of that, what tensors hold
};

MemoryUse memory_use(const c10::Device& device) {
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto stats =
      c10::getDeviceAllocator(device.type())->getDeviceStats(with_index(device).index());
  return {stats.reserved_bytes.at(kAll), stats.active_bytes.at(kAll)};
}

}  // namespace

Machine Machine::present() {
  Machine machine;
  if (at::hasCUDA()) {
    machine.gpus = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
  }
  // Whoever hides the GPUs need not be told.
  const char* const visible = std::getenv(kVisibleGpus);
  const bool are_hidden = visible != nullptr && *visible == '\0';
  std::error_code ignored;
  machine.has_gpu_driver =
      !are_hidden && std::filesystem::exists("/proc/driver/nvidia/version", ignored);
  machine.processor_has_bfloat16 = cpu_computes_in_bfloat16();
  machine.try_out = compute_once;
  add_played_gpus(machine);
  return machine;
}

ComputeTarget choose_target(const std::string& device_text, const std::string& dtype_text,
                            const Machine& machine) {
  const std::optional<c10::Device> device = parse_device(device_text);
  const std::optional<c10::ScalarType> dtype = parse_precision(dtype_text);
  if (device && device->is_cuda()) return target_gpu(*device, dtype, machine);
  if (device) return target_processor(dtype, machine);
  std::string remark;
  if (machine.gpus > 0) {
    try {
      return target_gpu(c10::Device(c10::DeviceType::CUDA, 0), dtype, machine);
    } catch (const UnavailableError& error) {
      remark = std::string("Computing on the processor: ") + error.what();
    }
  } else if (machine.has_gpu_driver) {
    remark =
        "Computing on the processor: a GPU is here, but libtorch cannot use it (its driver is too "
        "old, or libtorch is built for the processor only)";
  }
  ComputeTarget target = target_processor(dtype, machine);
  target.remark = remark;
  return target;
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
  const c10::Device known = with_index(device);
  const auto [free, total] = c10::getDeviceAllocator(known.type())->getMemoryInfo(known.index());
  // What was freed stays with libtorch's allocator, and the driver calls it taken.
  const MemoryUse use = memory_use(known);
  return static_cast<std::int64_t>(free) + use.reserved.current - use.active.current;
}

std::int64_t total_bytes(const c10::Device& device) {
  const auto [free, total] =
      c10::getDeviceAllocator(device.type())->getMemoryInfo(with_index(device).index());
  return static_cast<std::int64_t>(total);
}

std::int64_t used_bytes(const c10::Device& device) {
  return device.is_cpu() ? resident_memory_bytes() : memory_use(device).active.current;
}

std::int64_t peak_bytes(const c10::Device& device) {
  return device.is_cpu() ? peak_memory_bytes() : memory_use(device).reserved.peak;
}

void release_unused_memory(const c10::Device& device) {
  if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->emptyCache();
}

void set_compute_threads(int threads) {
  if (threads > 0) at::set_num_threads(threads);
}

int compute_threads() { return at::get_num_threads(); }

}  // namespace sdx
