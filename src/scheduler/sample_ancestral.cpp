#include "sdx/scheduler/sampler.h"

#include <algorithm>
#include <cmath>

#include "scheduler/walk.h"

// Each step goes further down than the next level, and noise lifts the sample up to it: what went
// wrong is forgotten. All of them are k-diffusion's, with η = 1.

namespace sdx {

namespace {

/// One way down from level `from` to `down`, above 0, with the picture seen at `from`.
using WayDown = std::function<at::Tensor(int step, double from, double down, const at::Tensor& x,
                                         const at::Tensor& original)>;

at::Tensor sample_ancestral(const Walk& walk, const at::Tensor& sample, const WayDown& way_down) {
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    const at::Tensor original = original_at(walk, x, step, step);
    if (to == 0) return original;
    const AncestralSplit split = ancestral_split(from, to);
    return way_down(step, from, split.down, x, original) + walk.noise(step) * split.up;
  });
}

}  // namespace

/// Euler's method down. Draws noise once a step, not in the last.
/// Source: k-diffusion; diffusers' EulerAncestralDiscreteScheduler.
at::Tensor sample_euler_ancestral(const Walk& walk, const at::Tensor& sample) {
  return sample_ancestral(
      walk, sample,
      [](int, double from, double down, const at::Tensor& x, const at::Tensor& original) {
        return straight_to(down, from, x, original);
      });
}

/// DPM2 down. Draws noise once a step, not in the last.
/// Source: k-diffusion; diffusers' KDPM2AncestralDiscreteScheduler.
at::Tensor sample_dpm2_ancestral(const Walk& walk, const at::Tensor& sample) {
  return sample_ancestral(
      walk, sample,
      [&walk](int step, double from, double down, const at::Tensor& x, const at::Tensor& original) {
        const double middle = std::sqrt(from * down);
        const at::Tensor there = straight_to(middle, from, x, original);
        const at::Tensor slope = (there - original_between(walk, there, middle, step)) / middle;
        return x + slope * (down - from);
      });
}

/// DPM-Solver++ of second order, single-step, down. Draws noise once a step, not in the last.
/// Source: Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
/// Probabilistic Models", algorithm 1 with r = ½; k-diffusion's sample_dpmpp_2s_ancestral.
at::Tensor sample_dpmpp_2s_ancestral(const Walk& walk, const at::Tensor& sample) {
  return sample_ancestral(
      walk, sample,
      [&walk](int step, double from, double down, const at::Tensor& x, const at::Tensor& original) {
        const double middle = std::sqrt(from * down);
        const at::Tensor there = straight_to(middle, from, x, original);
        return straight_to(down, from, x, original_between(walk, there, middle, step));
      });
}

}  // namespace sdx
