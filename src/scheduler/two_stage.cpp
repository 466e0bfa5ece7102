#include "scheduler/two_stage.h"

#include <cmath>

namespace sdx {

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
