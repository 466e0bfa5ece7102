#pragma once

#include "scheduler/walk.h"

// Solvers of the reverse stochastic differential equation, with η = 1. The noise of a step stands
// for the Brownian motion over its levels, so draws for different stretches are independent.

namespace sdx {

/// DPM-Solver++ of second order with the picture of the step's middle, where noise is added too.
/// Draws noise twice a step, not in the last: 2·step for the way to the middle, 2·step + 1 for the
/// way from there. The whole step's noise is the sum of both stretches, each weighted by the root
/// of its length in σ, as a Brownian tree over σ gives it. Source: k-diffusion's sample_dpmpp_sde;
/// diffusers' DPMSolverSDEScheduler.
at::Tensor sample_dpmpp_sde(const Walk& walk, const at::Tensor& sample);

/// DPM-Solver++ of second order, looking back a step. Draws noise once a step, not in the last.
/// Source: diffusers' DPMSolverMultistepScheduler (sde-dpmsolver++, order 2, midpoint), which is
/// k-diffusion's sample_dpmpp_2m_sde.
at::Tensor sample_dpmpp_2m_sde(const Walk& walk, const at::Tensor& sample);

/// DPM-Solver++ of third order, looking back two steps. Draws noise once a step, not in the last.
/// Source: k-diffusion's sample_dpmpp_3m_sde. diffusers' sde-dpmsolver++ of order 3 is another: its
/// last coefficient does not vanish with the step.
at::Tensor sample_dpmpp_3m_sde(const Walk& walk, const at::Tensor& sample);

}  // namespace sdx
