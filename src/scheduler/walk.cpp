#include "scheduler/walk.h"

namespace sdx {

at::Tensor take_steps(const Walk& walk, at::Tensor sample, const Step& take) {
  const int steps = static_cast<int>(walk.points.size()) - 1;
  for (int step = walk.first_step; step < steps; ++step) {
    const auto place = static_cast<std::size_t>(step);
    sample = take(step, walk.points[place], walk.points[place + 1], sample);
    if (walk.observe) walk.observe(step + 1 - walk.first_step, sample);
  }
  return sample;
}

at::Tensor take_level_steps(const Walk& walk, const at::Tensor& sample, const LevelStep& take) {
  return take_steps(walk, sample,
                    [&take](int step, const SamplingPoint& from, const SamplingPoint& to,
                            const at::Tensor& preserving) {
                      return take(step, from.level(), to.level(), preserving / from.alpha) *
                             to.alpha;
                    });
}

at::Tensor original_at(const Walk& walk, const at::Tensor& sample, int point, int step) {
  const SamplingPoint& place = walk.points.at(static_cast<std::size_t>(point));
  return walk.denoise(sample * place.alpha, place, step);
}

at::Tensor original_between(const Walk& walk, const at::Tensor& sample, double level, int step) {
  const SamplingPoint place = point_at_level(walk.schedule.timestep_of_level(level), level);
  return walk.denoise(sample * place.alpha, place, step);
}

at::Tensor straight_to(double to, double from, const at::Tensor& sample,
                       const at::Tensor& original) {
  return original + (sample - original) * (to / from);
}

AncestralSplit ancestral_split(double from, double to) {
  const double up = std::min(to, to * std::sqrt(from * from - to * to) / from);
  return {std::sqrt(to * to - up * up), up};
}

}  // namespace sdx
