#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

#include "sdx/scheduler/noise_schedule.h"

namespace sdx {

enum class SamplerKind {
  kDdim,     ///< Song et al. 2021, η = 0; first order
  kDpmpp2m,  ///< DPM-Solver++ (2M), Lu et al. 2022; second order, multistep
};

/// As typed on the command line: "ddim", "dpmpp_2m".
std::string_view to_string(SamplerKind kind);
/// As written into images, in the words of AUTOMATIC1111: "DDIM", "DPM++ 2M".
std::string_view display_name(SamplerKind kind);
/// @throws UsageError that lists the samplers.
SamplerKind parse_sampler(std::string_view text);

/// A point on the way from noise to picture: the model is asked at `timestep`, the sample there is
/// alpha·x₀ + sigma·ε.
struct SamplingPoint {
  int timestep = 0;
  double alpha = 1;
  double sigma = 0;
};

/// The `steps` points at which the model is asked, noisiest first, and the point where the picture
/// is taken (its timestep is not used). Spacing as in diffusers: "leading" with the schedule's
/// offset for DDIM, "linspace" for DPM++ 2M. DDIM ends at the training schedule's first step,
/// DPM++ 2M at sigma 0.
/// @throws UsageError unless 1 ≤ steps ≤ train_timesteps.
std::vector<SamplingPoint> sampling_points(const NoiseSchedule& schedule, SamplerKind kind,
                                           int steps);

/// The picture x₀ that a model output promises at a point.
at::Tensor predicted_original(const at::Tensor& sample, const at::Tensor& model_output,
                              const SamplingPoint& point, PredictionType type);

/// Walks along the points. Deterministic: no noise is added on the way.
/// Source: diffusers' DDIMScheduler (eta 0, no clipping) and DPMSolverMultistepScheduler
/// (dpmsolver++, order 2, midpoint; first order at the first step and at the last, to sigma 0).
class Sampler {
 public:
  Sampler(SamplerKind kind, PredictionType type, std::vector<SamplingPoint> points);

  int steps() const { return static_cast<int>(points_.size()) - 1; }
  const SamplingPoint& point(int step) const { return points_.at(static_cast<std::size_t>(step)); }

  /// From point `step` to point `step + 1`; steps are taken in order.
  /// @param sample, model_output same shape; returns a new tensor of that shape.
  at::Tensor advance(int step, const at::Tensor& sample, const at::Tensor& model_output);

 private:
  SamplerKind kind_;
  PredictionType type_;
  std::vector<SamplingPoint> points_;
  at::Tensor previous_original_;
};

}  // namespace sdx
