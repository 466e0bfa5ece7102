#pragma once

#include <cstdint>

#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"

namespace sdx {

/// The size of a training step.
struct StepShape {
  int batch_size = 4;
  int without_gradient = 16;  ///< pictures of the largest batch that is run without a gradient
  int latent_height = 64;
  int latent_width = 64;
  int chunks = 1;  ///< of a prompt
};

/// The memory that training will take.
struct MemoryEstimate {
  /// The process as it is: libraries, and the weights in use; on a GPU, what it uses there.
  std::int64_t resident_bytes = 0;
  std::int64_t step_bytes = 0;  ///< on top of that, at the peak of a step
  std::int64_t total_bytes() const { return resident_bytes + step_bytes; }
};

/// Estimates the memory of training on the device of its models from two real steps on small
/// pictures, one at a time: what lives at their peaks grows linearly with the area (attention is
/// computed in pieces) and the batch. Takes about half the time of a step on one picture of 512 ×
/// 512 (three quarters with kLow); call it when the models are loaded. Compared with the truth in
/// docs/training-memory.md.
/// @throws DataError as UNet::forward.
MemoryEstimate estimate_memory(const TextEncoders& text_encoders, const UNet& unet,
                               const StepShape& shape, GradientMemory memory);

/// Refuses a step that the free memory cannot hold, before any is taken. Estimates hold within a
/// quarter; what might just fit is tried.
/// @param batch_size that a person may lower
/// @throws TryAgainError (75) saying what it takes, what is free and what to lower.
void require_memory(const MemoryEstimate& estimate, std::int64_t available_bytes, int batch_size,
                    GradientMemory memory);

}  // namespace sdx
