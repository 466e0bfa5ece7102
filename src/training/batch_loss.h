#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "sdx/training/inversion.h"
#include "training/batch.h"

namespace sdx {

/// A batch in whose prompts one word has these vectors.
struct LossRequest {
  const Inversion::Model& model;
  const TrainingBatch& batch;
  const EmbeddingVectors& vectors;
  GradientMemory memory = GradientMemory::kNormal;
  int parts = 1;  ///< that the batch is cut into, one after the other through the UNet
  TrainedEncoders trained = TrainedEncoders::kBoth;  ///< in whose vectors the gradient is wanted
};

/// Mean squared error of the UNet's prediction, each row's weighted by the batch's weights.
double compute_loss(const LossRequest& request);

struct LossAndGradient {
  double loss = 0;            ///< mean over the parts
  EmbeddingVectors gradient;  ///< of that mean in the vectors; 0 where it is not wanted
};

/// Of each request the loss and its gradient. The rows of all that can be are run through text
/// encoder and UNet at once: they must share the model and the way to save memory, be of one size,
/// and have prompts of equally many chunks, for a longer prompt beside it would change what a row
/// attends to. A row's numbers differ by rounding from those that it has alone, and depend on
/// nothing else in the other rows, not even where these are not finite.
std::vector<LossAndGradient> losses_and_gradients(const std::vector<LossRequest>& requests);

}  // namespace sdx
