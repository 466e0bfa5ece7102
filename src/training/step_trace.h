#pragma once

#include <ATen/core/Tensor.h>

#include "sdx/tokenizer/tokenizer.h"
#include "sdx/training/inversion.h"
#include "training/batch.h"
#include "training/batch_loss.h"

namespace sdx {

/// @param vectors as they were before the step, of which `result` is
StepTrace trace_step(const TrainingBatch& batch, const EmbeddingVectors& vectors,
                     const LossAndGradient& result, const Tokenizer& tokenizer);

}  // namespace sdx
