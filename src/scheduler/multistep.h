#pragma once

#include "scheduler/walk.h"

// One evaluation of the model a step, and what it said in the steps before. No noise.

namespace sdx {

/// Source: Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
/// Probabilistic Models", algorithm 2; diffusers' DPMSolverMultistepScheduler (dpmsolver++, order
/// 2, midpoint; first order at the first step and at the last, to sigma 0).
at::Tensor sample_dpmpp_2m(const Walk& walk, const at::Tensor& sample);

/// Predicts as DPM++ 2M does, and with the model's next word corrects the step that led to it.
/// Source: Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of
/// Diffusion Models"; diffusers' UniPCMultistepScheduler (order 2, B₂(h), of the picture).
at::Tensor sample_unipc(const Walk& walk, const at::Tensor& sample);

/// Adams and Bashforth's method of up to fourth order over σ.
/// Source: k-diffusion's sample_lms; diffusers' LMSDiscreteScheduler.
at::Tensor sample_lms(const Walk& walk, const at::Tensor& sample);

/// Pseudo linear multistep ("PLMS"): Adams and Bashforth's coefficients for even steps on the
/// model's raw outputs, and DDIM's step with their mean. The first step asks the model twice.
/// Source: Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds";
/// diffusers' PNDMScheduler without its Runge-Kutta steps, as Stable Diffusion uses it.
at::Tensor sample_pndm(const Walk& walk, const at::Tensor& sample);

}  // namespace sdx
