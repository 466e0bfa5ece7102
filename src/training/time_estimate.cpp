#include "sdx/training/time_estimate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sdx/training/judge.h"
#include "sdx/training/trainer.h"
#include "sdx/util/stopwatch.h"
#include "sdx/util/units.h"
#include "training/small_step.h"

namespace sdx {

namespace {

/// Sides of the pictures that are measured, in latents. The first pass only brings the weights into
/// memory.
constexpr std::array<std::int64_t, 3> kSides = {16, 32, 48};

double time_step(const SmallStep& step, std::int64_t side, bool with_gradient) {
  const Stopwatch stopwatch;
  run_small_step(step, side, with_gradient);
  return stopwatch.seconds();
}

/// The parabola through three points, at `x`. Never bent downwards: then the line through the outer
/// points.
double extrapolate(const std::array<double, 3>& xs, const std::array<double, 3>& ys, double x) {
  const double first = (ys[1] - ys[0]) / (xs[1] - xs[0]);
  const double second = (ys[2] - ys[1]) / (xs[2] - xs[1]);
  const double bend = (second - first) / (xs[2] - xs[0]);
  if (bend > 0) return ys[0] + first * (x - xs[0]) + bend * (x - xs[0]) * (x - xs[1]);
  return ys[0] + (ys[2] - ys[0]) / (xs[2] - xs[0]) * (x - xs[0]);
}

}  // namespace

PictureTimes measure_picture_times(const TextEncoders& text_encoders, const UNet& unet,
                                   const StepShape& shape, GradientMemory memory) {
  const SmallStep step{text_encoders, unet, memory, shape.chunks};
  time_step(step, kSides.front(), /*with_gradient=*/true);
  std::array<double, 3> areas{};
  std::array<double, 3> seconds{};
  for (std::size_t i = 0; i < kSides.size(); ++i) {
    areas[i] = static_cast<double>(kSides[i] * kSides[i]);
    seconds[i] = time_step(step, kSides[i], /*with_gradient=*/true);
  }
  const double area = static_cast<double>(shape.latent_height) * shape.latent_width;
  const double with_gradient = extrapolate(areas, seconds, area);
  const double share = time_step(step, kSides.back(), /*with_gradient=*/false) / seconds.back();
  return {with_gradient, with_gradient * share};
}

TrainingWork count_work(const InversionOptions& options, const TrainerOptions& trainer,
                        int steps_done, std::size_t previews) {
  const auto times_every = [&](int every) {
    const auto before = [every](int steps) { return (steps + every - 1) / every; };
    return std::int64_t{before(options.steps) - before(steps_done)} + 1;
  };
  const JudgeOptions look;
  const auto pictures = static_cast<std::int64_t>(previews);
  TrainingWork work;
  work.steps = std::max(0, options.steps - steps_done);
  work.step_pictures = std::int64_t{options.batch_size} * options.accumulate;
  work.measured_pictures = times_every(kMeasureEverySteps) * fixed_batch_rows(options);
  work.evaluations = trainer.milestone_steps == 0 ? 1 : times_every(trainer.milestone_steps);
  // With guidance each step of the sampler is two passes. The judge compares all prompts.
  work.evaluation_passes = pictures * look.steps * 2 + pictures * look.draws * pictures;
  return work;
}

double estimate_seconds(const TrainingWork& work, const PictureTimes& times) {
  const auto passes =
      static_cast<double>(work.measured_pictures + work.evaluations * work.evaluation_passes);
  return static_cast<double>(work.steps * work.step_pictures) * times.with_gradient_s +
         passes * times.pass_s;
}

std::string describe_time(const TrainingWork& work, const PictureTimes& times) {
  const double step = static_cast<double>(work.step_pictures) * times.with_gradient_s;
  const double evaluation = static_cast<double>(work.evaluation_passes) * times.pass_s;
  return "Time: at most about " + duration_text(estimate_seconds(work, times)) +
         " on this processor, " + std::to_string(work.steps) + " steps of " + duration_text(step) +
         " and " + std::to_string(work.evaluations) + " evaluations of " +
         duration_text(evaluation) +
         "; quicker are a GPU (`device`), fewer evaluations (`milestone-steps`), fewer "
         "`max-steps`, "
         "and a smaller `batch`";
}

}  // namespace sdx
