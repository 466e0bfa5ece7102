#include "sdx/training/stop_rule.h"

#include <span>

namespace sdx {

namespace {

using Curve = std::span<const Measurement>;

double mean(Curve curve) {
  double sum = 0;
  for (const Measurement& point : curve) sum += point.loss;
  return sum / static_cast<double>(curve.size());
}

double variance(Curve curve) {
  const double centre = mean(curve);
  double squares = 0;
  for (const Measurement& point : curve) squares += (point.loss - centre) * (point.loss - centre);
  return squares / static_cast<double>(curve.size());
}

bool still_falls(Curve window, Curve whole) {
  const std::size_t half = window.size() / 2;
  const double fall = mean(window.first(half)) - mean(window.last(half));
  return fall > kSettledFall * (whole.front().loss - mean(window.last(half)));
}

}  // namespace

bool has_settled(const std::vector<Measurement>& curve, int window_steps) {
  constexpr std::size_t kFewestPoints = 3;
  if (curve.empty() || curve.back().step - curve.front().step < 2 * window_steps) return false;
  const Curve whole(curve);
  std::size_t first = curve.size();
  while (first > 0 && curve[first - 1].step >= curve.back().step - window_steps) --first;
  const Curve window = whole.subspan(first);
  return window.size() >= kFewestPoints && variance(window) < kSettledVariance * variance(whole) &&
         !still_falls(window, whole);
}

}  // namespace sdx
