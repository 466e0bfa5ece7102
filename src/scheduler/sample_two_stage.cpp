#include <cmath>

#include "scheduler/walk.h"

// Two evaluations of the model a step, but for the last, which lands on the picture. No noise.

namespace sdx {

/// The slope is the mean of those at both ends of the step.
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
/// algorithm 1; diffusers' HeunDiscreteScheduler.
at::Tensor sample_heun(const Walk& walk, const at::Tensor& sample) {
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    const at::Tensor original = original_at(walk, x, step, step);
    const at::Tensor guess = straight_to(to, from, x, original);
    if (to == 0) return guess;
    const at::Tensor slope = (x - original) / from;
    const at::Tensor slope_there = (guess - original_at(walk, guess, step + 1, step)) / to;
    return x + (slope + slope_there) * ((to - from) / 2);
  });
}

/// The slope is that in the middle of the step, by log σ.
/// Source: DPM-Solver-2 of Lu et al. 2022, "DPM-Solver: A Fast ODE Solver for Diffusion
/// Probabilistic Model Sampling in Around 10 Steps", as k-diffusion simplifies it; diffusers'
/// KDPM2DiscreteScheduler.
at::Tensor sample_dpm2(const Walk& walk, const at::Tensor& sample) {
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    const at::Tensor original = original_at(walk, x, step, step);
    if (to == 0) return original;
    const double middle = std::sqrt(from * to);
    const at::Tensor there = straight_to(middle, from, x, original);
    const at::Tensor slope = (there - original_between(walk, there, middle, step)) / middle;
    return x + slope * (to - from);
  });
}

}  // namespace sdx
