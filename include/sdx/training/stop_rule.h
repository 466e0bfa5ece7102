#pragma once

#include <vector>

namespace sdx {

/// The loss on the fixed batch after a step.
struct Measurement {
  int step = 0;
  double loss = 0;
};

/// Whether a curve has settled: the variance of its last `window_steps` is below a small part
/// (kSettledVariance) of its variance since the start, and from the first to the second half of the
/// window it falls by less than a small part (kSettledFall) of its whole fall. The loss of a step
/// says nothing, that on one fixed batch does: Voronov et al. 2023, "Is This Loss Informative?"
/// (there a window of 310 steps and a ratio of 0.15). The second condition is ours: by the first
/// alone even a straight line has settled as soon as it is 2.6 windows long.
/// @param curve in the order of steps; a curve that is shorter than twice the window has not
///        settled.
bool has_settled(const std::vector<Measurement>& curve, int window_steps);

inline constexpr double kSettledVariance = 0.15;
inline constexpr double kSettledFall = 0.02;

}  // namespace sdx
