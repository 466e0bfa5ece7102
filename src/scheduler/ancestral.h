#pragma once

#include "scheduler/walk.h"

// Each step goes further down than the next level, and noise lifts the sample up to it: what went
// wrong is forgotten. All of them are k-diffusion's, with η = 1.

namespace sdx {

/// A step from level `from` to `to` in two parts.
struct AncestralSplit {
  double down;  ///< the level to which the model leads
  double up;    ///< the deviation of the noise that is added; down² + up² = to²
};

/// As much noise as the training's own forward process put between the two levels.
/// @param to 0 … from.
AncestralSplit ancestral_split(double from, double to);

/// Euler's method down. Draws noise once a step, not in the last.
/// Source: k-diffusion; diffusers' EulerAncestralDiscreteScheduler.
at::Tensor sample_euler_ancestral(const Walk& walk, const at::Tensor& sample);

/// DPM2 down. Draws noise once a step, not in the last.
/// Source: k-diffusion; diffusers' KDPM2AncestralDiscreteScheduler.
at::Tensor sample_dpm2_ancestral(const Walk& walk, const at::Tensor& sample);

/// DPM-Solver++ of second order, single-step, down. Draws noise once a step, not in the last.
/// Source: Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
/// Probabilistic Models", algorithm 1 with r = ½; k-diffusion's sample_dpmpp_2s_ancestral.
at::Tensor sample_dpmpp_2s_ancestral(const Walk& walk, const at::Tensor& sample);

}  // namespace sdx
