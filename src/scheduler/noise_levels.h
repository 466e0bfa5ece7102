#pragma once

#include <vector>

#include "sdx/scheduler/noise_schedule.h"

// Schedules that are made of noise levels σ/α: the levels of `steps` steps, noisiest first, without
// the 0 at the end. `steps` is at least 1.

namespace sdx {

/// σ^(1/ρ) evenly between the training's noisiest and cleanest level, ρ = 7.
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
/// equation 5.
std::vector<double> karras_levels(const NoiseSchedule& schedule, int steps);

/// log σ evenly between the training's noisiest and cleanest level.
std::vector<double> exponential_levels(const NoiseSchedule& schedule, int steps);

/// The quantiles of Beta(0.6, 0.6), stretched over the training's levels.
/// Source: Lee et al. 2024, "Beta Sampling is All You Need", as diffusers reads it: over the
/// levels, not over the timesteps.
std::vector<double> beta_levels(const NoiseSchedule& schedule, int steps);

/// The levels optimised for ten steps of Stable Diffusion 1.5, for other numbers of steps
/// interpolated linearly in log σ. They do not depend on the model's own schedule.
/// Source: Sabour et al. 2024, "Align Your Steps: Optimizing Sampling Schedules in Diffusion
/// Models", and the table that its authors published.
std::vector<double> align_your_steps_levels(int steps);

}  // namespace sdx
