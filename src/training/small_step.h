#pragma once

#include <cstdint>

#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"

namespace sdx {

/// The parts that a step runs, to measure what it takes.
struct SmallStep {
  const TextEncoders& text_encoders;
  const UNet& unet;
  GradientMemory memory;
  std::int64_t chunks;  ///< of a prompt
};

/// One step on one square picture: text encoders, UNet, and the gradient in an embedding's vectors.
/// @param side in latents
/// @return the most bytes that lived at one time
std::int64_t run_small_step(const SmallStep& step, std::int64_t side, bool with_gradient);

}  // namespace sdx
