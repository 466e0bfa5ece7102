#pragma once

#include "scheduler/walk.h"

// Two evaluations of the model a step, but for the last, which lands on the picture. No noise.

namespace sdx {

/// The slope is the mean of those at both ends of the step.
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
/// algorithm 1; diffusers' HeunDiscreteScheduler.
at::Tensor sample_heun(const Walk& walk, const at::Tensor& sample);

/// The slope is that in the middle of the step, by log σ.
/// Source: DPM-Solver-2 of Lu et al. 2022, "DPM-Solver: A Fast ODE Solver for Diffusion
/// Probabilistic Model Sampling in Around 10 Steps", as k-diffusion simplifies it; diffusers'
/// KDPM2DiscreteScheduler.
at::Tensor sample_dpm2(const Walk& walk, const at::Tensor& sample);

}  // namespace sdx
