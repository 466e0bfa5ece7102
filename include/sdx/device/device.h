#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace sdx {

/// Where tensors live and in which floating-point type the models compute.
struct ComputeTarget {
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  c10::ScalarType dtype = c10::ScalarType::Float;
};

/// What a model is loaded for.
enum class ModelUse {
  kTraining,   ///< outputs have gradients with respect to inputs; weights stay as they lie in the
               ///< file
  kInference,  ///< as fast as the device allows; no gradients; on the CPU a copy of the weights
};

// What --device and --dtype take, as --help says it.
inline constexpr const char* kDeviceHelp = "auto, cpu, cuda or cuda:N";
inline constexpr const char* kPrecisionHelp =
    "fp32; bf16: half the memory, twice as fast where the processor has it; fp16: CUDA only";

// Values of --device: the processor, and the first GPU.
inline constexpr const char* kProcessor = "cpu";
inline constexpr const char* kGpu = "cuda";

/// @param device "auto" (CUDA if there is one, else the CPU), "cpu", "cuda" or "cuda:N".
/// @param dtype  in which the models compute: "fp32", "bf16", "fp16" (CUDA only) or "auto", which
///        is float32 on the CPU, the type that keeps the picture, and float16 on CUDA.
/// @throws UsageError for another word; UnavailableError (69) for a device that is not there or a
///         type that it cannot compute in.
ComputeTarget choose_target(const std::string& device, const std::string& dtype);

/// A type as --dtype names it: "fp32", "bf16" or "fp16".
std::string_view precision_name(c10::ScalarType dtype);

/// Bytes that can still be taken on the device: for the processor available_memory_bytes() of
/// util/memory.h, else what the device's driver says.
std::int64_t available_bytes(const c10::Device& device);

/// Threads for libtorch's operators; 0 leaves its own choice, one for each core.
void set_compute_threads(int threads);
int compute_threads();

}  // namespace sdx
