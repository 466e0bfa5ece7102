#pragma once

#include <ATen/core/Tensor.h>

#include "sdx/scheduler/noise_schedule.h"

namespace sdx {

/// A place on the way from noise to picture: the model is asked at `timestep`, the sample there is
/// alpha·x₀ + sigma·ε with alpha² + sigma² = 1 ("variance preserving").
struct SamplingPoint {
  double timestep = 0;  ///< between two of the training's where the schedule lies there
  double alpha = 1;
  double sigma = 0;

  /// The noise level σ/α: Karras' sigma.
  double level() const { return sigma / alpha; }
};

/// The point of a timestep: a whole one has the schedule's own α and σ, between two it follows from
/// NoiseSchedule::level().
/// @param timestep 0 … train_timesteps − 1.
SamplingPoint point_at(const NoiseSchedule& schedule, double timestep);
/// The point of a noise level σ/α, at which the model is asked at `timestep`.
SamplingPoint point_at_level(double timestep, double level);

/// The picture x₀ that a model output promises at a point.
/// @param sample, model_output same shape, any float dtype.
at::Tensor predicted_original(const at::Tensor& sample, const at::Tensor& model_output,
                              const SamplingPoint& point, PredictionType type);

/// The output of a perfect model at a point, which is the target of training: the inverse of
/// predicted_original().
/// @param original, noise same shape, any float dtype.
at::Tensor prediction_target(const at::Tensor& original, const at::Tensor& noise,
                             const SamplingPoint& point, PredictionType type);

/// alpha·original + sigma·noise: where an image-to-image walk starts at a point.
at::Tensor noised(const at::Tensor& original, const at::Tensor& noise, const SamplingPoint& point);

}  // namespace sdx
