#include <cmath>

#include "scheduler/walk.h"

// One evaluation of the model a step, which depends on nothing before it.

namespace sdx {

/// Euler's method for the probability flow ODE.
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
/// algorithm 1 without churn; diffusers' EulerDiscreteScheduler.
at::Tensor sample_euler(const Walk& walk, const at::Tensor& sample) {
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    return straight_to(to, from, x, original_at(walk, x, step, step));
  });
}

/// Source: Song et al. 2021, "Denoising Diffusion Implicit Models", equation 12 with η = 0;
/// diffusers' DDIMScheduler without clipping.
at::Tensor sample_ddim(const Walk& walk, const at::Tensor& sample) {
  return take_steps(
      walk, sample,
      [&](int step, const SamplingPoint& from, const SamplingPoint& to, const at::Tensor& x) {
        const at::Tensor original = walk.denoise(x, from, step);
        const at::Tensor noise = (x - original * from.alpha) / from.sigma;
        return original * to.alpha + noise * to.sigma;
      });
}

/// The picture is drawn anew from what is known of it at each step.
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", equations 6 and 7, with the
/// posterior's own variance; diffusers' DDPMScheduler ("fixed_small") without clipping.
at::Tensor sample_ddpm(const Walk& walk, const at::Tensor& sample) {
  return take_steps(
      walk, sample,
      [&](int step, const SamplingPoint& from, const SamplingPoint& to, const at::Tensor& x) {
        const at::Tensor original = walk.denoise(x, from, step);
        // α and β = 1 − α² of the step alone, in the paper √α_t and β_t.
        const double alpha = from.alpha / to.alpha;
        const double beta = 1 - alpha * alpha;
        const double cleaner = to.sigma * to.sigma / (from.sigma * from.sigma);
        const at::Tensor mean =
            original * (to.alpha * beta / (from.sigma * from.sigma)) + x * (alpha * cleaner);
        return to.sigma == 0 ? mean : mean + walk.noise(step) * std::sqrt(cleaner * beta);
      });
}

/// A latent consistency model jumps to the picture, and back to less noise for the next try.
/// Source: Luo et al. 2023, "Latent Consistency Models", algorithm 3; diffusers' LCMScheduler.
at::Tensor sample_lcm(const Walk& walk, const at::Tensor& sample) {
  constexpr double kDataDeviation = 0.5;
  constexpr double kTimestepScale = 10;
  return take_steps(
      walk, sample,
      [&](int step, const SamplingPoint& from, const SamplingPoint& to, const at::Tensor& x) {
        // The boundary condition: at timestep 0 the sample is the picture.
        const double scaled = from.timestep * kTimestepScale;
        const double length = std::hypot(scaled, kDataDeviation);
        const double skip = kDataDeviation * kDataDeviation / (length * length);
        const at::Tensor original = walk.denoise(x, from, step) * (scaled / length) + x * skip;
        return to.sigma == 0 ? original : noised(original, walk.noise(step), to);
      });
}

/// A model of trajectories jumps past the next point to s, and noise leads back to it. Of s, the
/// timestep is 1 − γ = 0.7 of the next one's, rounded down.
/// Source: Zheng et al. 2024, "Trajectory Consistency Distillation", algorithm 4 with γ = 0.3;
/// diffusers' TCDScheduler, whose eta is γ.
at::Tensor sample_tcd(const Walk& walk, const at::Tensor& sample) {
  return take_steps(
      walk, sample,
      [&](int step, const SamplingPoint& from, const SamplingPoint& to, const at::Tensor& x) {
        const at::Tensor original = walk.denoise(x, from, step);
        const at::Tensor noise = (x - original * from.alpha) / from.sigma;
        const auto lead_to = [&](const SamplingPoint& point) {
          return original * point.alpha + noise * point.sigma;
        };
        if (to.sigma == 0) return original;
        // Not 0.7 · t: that is less than 245 for t = 350.
        const SamplingPoint beyond = point_at(walk.schedule, std::floor(to.timestep * 7 / 10));
        // At the end there is nothing beyond, nor is there below the training's least level.
        if (beyond.level() >= to.level()) return lead_to(to);
        const double kept = to.alpha / beyond.alpha;
        return lead_to(beyond) * kept + walk.noise(step) * std::sqrt(1 - kept * kept);
      });
}

}  // namespace sdx
