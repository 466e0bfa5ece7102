#pragma once

#include <functional>
#include <vector>

#include "sdx/scheduler/sample_along.h"

namespace sdx {

/// What a sampler is given besides the sample; all of it outlives the walk.
struct Walk {
  const NoiseSchedule& schedule;
  const SamplerSettings& settings;
  const std::vector<SamplingPoint>& points;
  int first_step;
  const Denoiser& denoise;
  const NoiseSource& noise;
  const SampleObserver& observe;
};

/// One step from points[step] to points[step + 1], in the variance preserving scaling
/// α·x₀ + σ·ε.
using Step = std::function<at::Tensor(int step, const SamplingPoint& from, const SamplingPoint& to,
                                      const at::Tensor& sample)>;

/// One step in Karras' scaling, in which the sample is x₀ + level·ε and the way of a perfect model
/// is straight. Half of the samplers are published in it.
using LevelStep =
    std::function<at::Tensor(int step, double from, double to, const at::Tensor& sample)>;

/// Takes the steps one after the other and shows each.
at::Tensor take_steps(const Walk& walk, at::Tensor sample, const Step& take);

/// The same for steps in Karras' scaling; in and out it is variance preserving.
at::Tensor take_level_steps(const Walk& walk, const at::Tensor& sample, const LevelStep& take);

/// The picture that the model sees in a sample in Karras' scaling at points[point].
at::Tensor original_at(const Walk& walk, const at::Tensor& sample, int point, int step);

/// The same at a level between two points.
at::Tensor original_between(const Walk& walk, const at::Tensor& sample, double level, int step);

/// The exact way, in Karras' scaling, if the picture were `original` all along: Euler's step,
/// DDIM's and that of DPM-Solver++ of first order are all this.
at::Tensor straight_to(double to, double from, const at::Tensor& sample,
                       const at::Tensor& original);

/// A step from level `from` to `to` in two parts.
struct AncestralSplit {
  double down;  ///< the level to which the model leads
  double up;    ///< the deviation of the noise that is added; down² + up² = to²
};

/// As much noise as the training's own forward process put between the two levels.
/// @param to 0 … from.
AncestralSplit ancestral_split(double from, double to);

}  // namespace sdx
