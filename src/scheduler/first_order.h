#pragma once

#include "scheduler/walk.h"

// One evaluation of the model a step, which depends on nothing before it.

namespace sdx {

/// Euler's method for the probability flow ODE.
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
/// algorithm 1 without churn; diffusers' EulerDiscreteScheduler.
at::Tensor sample_euler(const Walk& walk, const at::Tensor& sample);

/// Source: Song et al. 2021, "Denoising Diffusion Implicit Models", equation 12 with η = 0;
/// diffusers' DDIMScheduler without clipping.
at::Tensor sample_ddim(const Walk& walk, const at::Tensor& sample);

/// The picture is drawn anew from what is known of it at each step.
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", equations 6 and 7, with the
/// posterior's own variance; diffusers' DDPMScheduler ("fixed_small") without clipping.
at::Tensor sample_ddpm(const Walk& walk, const at::Tensor& sample);

/// A latent consistency model jumps to the picture, and back to less noise for the next try.
/// Source: Luo et al. 2023, "Latent Consistency Models", algorithm 3; diffusers' LCMScheduler.
at::Tensor sample_lcm(const Walk& walk, const at::Tensor& sample);

}  // namespace sdx
