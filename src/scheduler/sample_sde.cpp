#include <cmath>
#include <optional>

#include "scheduler/walk.h"

// Solvers of the reverse stochastic differential equation, with η = 1. The noise of a step stands
// for the Brownian motion over its levels, so draws for different stretches are independent.

namespace sdx {

namespace {

/// What a step leaves behind for the next.
struct Past {
  at::Tensor original;
  double log_step;  ///< log(from / to), the step's length
};

/// The noise of a step of which the multistep solvers keep (to/from)² of the sample: what makes the
/// variance to² again.
double noise_deviation(double from, double to) {
  return to * std::sqrt(1 - to * to / (from * from));
}

}  // namespace

/// DPM-Solver++ of second order with the picture of the step's middle, where noise is added too.
/// Draws noise twice a step, not in the last: 2·step for the way to the middle, 2·step + 1 for the
/// way from there. The whole step's noise is the sum of both stretches, each weighted by the root
/// of its length in σ, as a Brownian tree over σ gives it. Source: k-diffusion's sample_dpmpp_sde;
/// diffusers' DPMSolverSDEScheduler.
at::Tensor sample_dpmpp_sde(const Walk& walk, const at::Tensor& sample) {
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    const at::Tensor original = original_at(walk, x, step, step);
    if (to == 0) return original;
    const double middle = std::sqrt(from * to);
    const at::Tensor noise_before = walk.noise(2 * step);
    const at::Tensor noise_after = walk.noise(2 * step + 1);
    const at::Tensor noise = noise_before * std::sqrt((from - middle) / (from - to)) +
                             noise_after * std::sqrt((middle - to) / (from - to));

    const AncestralSplit half = ancestral_split(from, middle);
    const at::Tensor there = straight_to(half.down, from, x, original) + noise_before * half.up;
    const AncestralSplit whole = ancestral_split(from, to);
    return straight_to(whole.down, from, x, original_between(walk, there, middle, step)) +
           noise * whole.up;
  });
}

/// DPM-Solver++ of second order, looking back a step. Draws noise once a step, not in the last.
/// Source: diffusers' DPMSolverMultistepScheduler (sde-dpmsolver++, order 2, midpoint), which is
/// k-diffusion's sample_dpmpp_2m_sde.
at::Tensor sample_dpmpp_2m_sde(const Walk& walk, const at::Tensor& sample) {
  std::optional<Past> past;
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    const at::Tensor original = original_at(walk, x, step, step);
    if (to == 0) return original;
    const double log_step = std::log(from / to);
    at::Tensor aim = original;
    if (past) aim = original + (original - past->original) * (0.5 * log_step / past->log_step);
    past = Past{original, log_step};
    return straight_to(to * to, from * from, x, aim) + walk.noise(step) * noise_deviation(from, to);
  });
}

/// DPM-Solver++ of third order, looking back two steps. Draws noise once a step, not in the last.
/// Source: k-diffusion's sample_dpmpp_3m_sde. diffusers' sde-dpmsolver++ of order 3 is another: its
/// last coefficient does not vanish with the step.
at::Tensor sample_dpmpp_3m_sde(const Walk& walk, const at::Tensor& sample) {
  std::optional<Past> last;
  std::optional<Past> before_last;
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    const at::Tensor original = original_at(walk, x, step, step);
    if (to == 0) return original;
    const double log_step = std::log(from / to);
    // φ₂ and φ₃ of the exponential integrator over twice the step, for η = 1.
    const double length = 2 * log_step;
    const double phi2 = std::expm1(-length) / length + 1;
    const double phi3 = phi2 / length - 0.5;
    at::Tensor next = straight_to(to * to, from * from, x, original);
    if (last) {
      const double ratio = last->log_step / log_step;
      const at::Tensor slope = (original - last->original) / ratio;
      if (before_last) {
        const double ratio_before = before_last->log_step / log_step;
        const at::Tensor slope_before = (last->original - before_last->original) / ratio_before;
        const at::Tensor bend = (slope - slope_before) / (ratio + ratio_before);
        next = next + (slope + bend * ratio) * phi2 - bend * phi3;
      } else {
        next = next + slope * phi2;
      }
    }
    before_last = last;
    last = Past{original, log_step};
    return next + walk.noise(step) * noise_deviation(from, to);
  });
}

}  // namespace sdx
