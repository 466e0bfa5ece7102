#include <cmath>
#include <deque>
#include <optional>

#include "scheduler/walk.h"

// One evaluation of the model a step, and what it said in the steps before. No noise.

namespace sdx {

namespace {

/// Half the logarithm of the signal-to-noise ratio: the time in which DPM-Solver is linear.
double lambda(const SamplingPoint& point) { return std::log(point.alpha / point.sigma); }

/// ∫ from levels[0] to `to` of the Lagrange polynomial that is 1 at levels[which] and 0 at the
/// others; at most four levels, so Simpson's rule is exact.
double lagrange_integral(const std::deque<double>& levels, std::size_t which, double to) {
  const auto value = [&](double at) {
    double product = 1;
    for (std::size_t k = 0; k < levels.size(); ++k) {
      if (k != which) product *= (at - levels[k]) / (levels[which] - levels[k]);
    }
    return product;
  };
  const double from = levels.front();
  return (to - from) / 6 * (value(from) + 4 * value((from + to) / 2) + value(to));
}

/// Puts `value` in front of what came before, of which at most `most` stay.
template <typename T>
void remember(std::deque<T>& past, const T& value, std::size_t most) {
  past.push_front(value);
  if (past.size() > most) past.pop_back();
}

/// The noise that goes with a picture seen in a sample.
at::Tensor noise_in(const at::Tensor& sample, const at::Tensor& original,
                    const SamplingPoint& point) {
  return (sample - original * point.alpha) / point.sigma;
}

}  // namespace

/// Source: Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
/// Probabilistic Models", algorithm 2; diffusers' DPMSolverMultistepScheduler (dpmsolver++, order
/// 2, midpoint; first order at the first step and at the last, to sigma 0).
at::Tensor sample_dpmpp_2m(const Walk& walk, const at::Tensor& sample) {
  at::Tensor previous_original;
  double previous_lambda = 0;
  return take_steps(
      walk, sample,
      [&](int step, const SamplingPoint& from, const SamplingPoint& to, const at::Tensor& x) {
        const at::Tensor original = walk.denoise(x, from, step);
        // To sigma 0, lambda is infinite and the exponential vanishes: the step lands on x₀.
        const double shrink = to.sigma == 0 ? -1 : std::expm1(lambda(from) - lambda(to));
        at::Tensor direction = original;
        if (previous_original.defined() && to.sigma != 0) {
          const double ratio = (lambda(from) - previous_lambda) / (lambda(to) - lambda(from));
          direction = original + (original - previous_original) * (0.5 / ratio);
        }
        previous_original = original;
        previous_lambda = lambda(from);
        return x * (to.sigma / from.sigma) - direction * (to.alpha * shrink);
      });
}

/// Predicts as DPM++ 2M does, and with the model's next word corrects the step that led to it.
/// Source: Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of
/// Diffusion Models"; diffusers' UniPCMultistepScheduler (order 2, B₂(h), of the picture).
at::Tensor sample_unipc(const Walk& walk, const at::Tensor& sample) {
  struct Past {
    at::Tensor sample;  ///< corrected
    at::Tensor original;
    double level;
    std::optional<at::Tensor> slope;  ///< of the picture in log σ times the step, by looking back
    double ratio;                     ///< length of the step before, in this step's, negative
  };
  std::optional<Past> past;
  return take_level_steps(
      walk, sample, [&](int step, double from, double to, const at::Tensor& predicted) {
        const at::Tensor original = original_at(walk, predicted, step, step);
        at::Tensor x = predicted;
        if (past) {
          const at::Tensor change = original - past->original;
          at::Tensor aim = past->original + change * 0.5;
          if (past->slope) {
            const double h = -std::log(past->level / from);
            const double phi2 = std::expm1(h) / h - 1;
            const double phi3 = phi2 / h - 0.5;
            const double b1 = phi2 / std::expm1(h);
            const double b2 = 2 * phi3 / std::expm1(h);
            const double weight_back = (b1 - b2) / (1 - past->ratio);
            aim = past->original + *past->slope * weight_back + change * (b1 - weight_back);
          }
          x = straight_to(from, past->level, past->sample, aim);
        }
        if (to == 0) return original;
        Past now{x, original, from, std::nullopt, 0};
        at::Tensor aim = original;
        if (past) {
          now.ratio = -std::log(past->level / from) / std::log(from / to);
          now.slope = (past->original - original) / now.ratio;
          aim = original + *now.slope * 0.5;
        }
        past = now;
        return straight_to(to, from, x, aim);
      });
}

/// Adams and Bashforth's method of up to fourth order over σ.
/// Source: k-diffusion's sample_lms; diffusers' LMSDiscreteScheduler.
at::Tensor sample_lms(const Walk& walk, const at::Tensor& sample) {
  constexpr std::size_t kOrder = 4;
  std::deque<double> levels;
  std::deque<at::Tensor> slopes;
  return take_level_steps(walk, sample, [&](int step, double from, double to, const at::Tensor& x) {
    remember(levels, from, kOrder);
    remember(slopes, (x - original_at(walk, x, step, step)) / from, kOrder);
    at::Tensor next = x;
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      next = next + slopes[i] * lagrange_integral(levels, i, to);
    }
    return next;
  });
}

/// Pseudo linear multistep ("PLMS"): Adams and Bashforth's coefficients for even steps on the
/// model's raw outputs, and DDIM's step with their mean. The first step asks the model twice.
/// Source: Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds";
/// diffusers' PNDMScheduler without its Runge-Kutta steps, as Stable Diffusion uses it.
at::Tensor sample_pndm(const Walk& walk, const at::Tensor& sample) {
  // The reference knows no models of the picture; those are combined as noise.
  const PredictionType type = walk.settings.prediction_type == PredictionType::kSample
                                  ? PredictionType::kEpsilon
                                  : walk.settings.prediction_type;
  std::deque<at::Tensor> outputs;
  const auto ask = [&](const at::Tensor& x, const SamplingPoint& point, int step) {
    const at::Tensor original = walk.denoise(x, point, step);
    return prediction_target(original, noise_in(x, original, point), point, type);
  };
  const auto ddim_step = [&](const at::Tensor& x, const at::Tensor& output,
                             const SamplingPoint& from, const SamplingPoint& to) {
    const at::Tensor original = predicted_original(x, output, from, type);
    return noised(original, noise_in(x, original, from), to);
  };
  const int last_step = static_cast<int>(walk.points.size()) - 2;
  return take_steps(
      walk, sample,
      [&](int step, const SamplingPoint& from, const SamplingPoint& to, const at::Tensor& x) {
        remember(outputs, ask(x, from, step), 4);
        const auto& past = outputs;
        at::Tensor mean = past[0];
        if (past.size() == 1 && step < last_step) {
          mean = (past[0] + ask(ddim_step(x, past[0], from, to), to, step)) / 2;
        } else if (past.size() == 2) {
          mean = (past[0] * 3 - past[1]) / 2;
        } else if (past.size() == 3) {
          mean = (past[0] * 23 - past[1] * 16 + past[2] * 5) / 12;
        } else if (past.size() == 4) {
          mean = (past[0] * 55 - past[1] * 59 + past[2] * 37 - past[3] * 9) / 24;
        }
        return ddim_step(x, mean, from, to);
      });
}

}  // namespace sdx
