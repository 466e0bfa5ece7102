#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sdx {

/// Where tensors live and in which floating-point type the models compute.
struct ComputeTarget {
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  c10::ScalarType dtype = c10::ScalarType::Float;
  /// Why it is the processor though there is a GPU; empty where there is nothing to say.
  std::string remark = {};
};

/// The purpose for which a model is loaded.
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

/// The variable that says which GPUs a process sees, in which order: numbers or names, as CUDA
/// takes them.
inline constexpr const char* kVisibleGpus = "CUDA_VISIBLE_DEVICES";

/// For tests only: GPUs that the processor plays, so that work on several GPUs can be tested where
/// there is none. The variable has a word for each, with commas between: "fine", or the message
/// with which the GPU fails, as in "fine,out of order". $CUDA_VISIBLE_DEVICES chooses among them.
/// They compute on the processor, with its bits.
inline constexpr const char* kPlayedGpus = "SDX_PLAYED_GPUS";

/// The devices of a machine, as choose_target sees them. Tests describe machines of their own.
struct Machine {
  int gpus = 0;                 ///< that libtorch sees
  bool has_gpu_driver = false;  ///< of which it need not see any GPU
  bool processor_has_bfloat16 = false;
  bool has_played_gpus = false;  ///< see kPlayedGpus
  /// Makes a GPU the present one and does one small computation of the kind that models do, in the
  /// target's type. A GPU may be there and have no kernels, too old a driver or no memory.
  /// @throws what the GPU says if it cannot.
  std::function<void(const ComputeTarget&)> try_out;

  /// This machine.
  static Machine present();
};

/// @param device "auto" (a GPU if there is one that computes, else the CPU), "cpu", "cuda" or
///        "cuda:N".
/// @param dtype  in which the models compute: "fp32", "bf16", "fp16" (CUDA only) or "auto", which
///        is float32 on the CPU, the type that keeps the picture, and float16 on CUDA. Float32 is
///        float32: convolutions of a GPU do not round to TF32.
/// @return a GPU with its index
/// @throws UsageError for another word; UnavailableError (69) for a device that is not there or
///         cannot compute in the type; TryAgainError (75) for a GPU whose memory is taken.
ComputeTarget choose_target(const std::string& device, const std::string& dtype,
                            const Machine& machine = Machine::present());

/// A type as --dtype names it: "fp32", "bf16" or "fp16".
std::string_view precision_name(c10::ScalarType dtype);

/// Bytes that can still be taken on the device: for the processor available_memory_bytes() of
/// util/memory.h, else what the device's driver says and what libtorch holds of it without using.
std::int64_t available_bytes(const c10::Device& device);

/// Bytes of a GPU's memory, whoever uses them.
std::int64_t total_bytes(const c10::Device& device);

/// Bytes of the device's memory that this process uses now: for the processor
/// resident_memory_bytes() of util/memory.h, else what lies in libtorch's tensors there.
std::int64_t used_bytes(const c10::Device& device);

/// The most of the device's memory that this process ever took: for the processor
/// peak_memory_bytes() of util/memory.h, else what libtorch held there at one time, used or not.
std::int64_t peak_bytes(const c10::Device& device);

/// Returns the device memory that libtorch holds without using it. On the processor it holds none.
/// Must not be called while another thread records (graph.h).
void release_unused_memory(const c10::Device& device);

/// Threads for libtorch's operators; 0 leaves its own choice, one for each core.
void set_compute_threads(int threads);
int compute_threads();

}  // namespace sdx
