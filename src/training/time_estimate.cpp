#include "sdx/training/time_estimate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sdx/tensor/flop_meter.h"
#include "sdx/training/judge.h"
#include "sdx/training/trainer.h"
#include "sdx/util/stopwatch.h"
#include "sdx/util/units.h"
#include "training/small_step.h"

namespace sdx {

namespace {

/// Sides of the pictures that are measured, in latents: every depth of UNet divides them evenly.
constexpr std::array<std::int64_t, 3> kSides = {16, 32, 64};

double time_step(const SmallStep& step, std::int64_t side, bool with_gradient) {
  const Stopwatch stopwatch;
  run_small_step(step, side, with_gradient);
  return stopwatch.seconds();
}

double count_operations(const SmallStep& step, std::int64_t side) {
  const FlopMeter meter;
  run_small_step(step, side, /*with_gradient=*/true);
  return meter.flops();
}

/// The parabola through three points, at `x`.
double extrapolate(const std::array<double, 3>& xs, const std::array<double, 3>& ys, double x) {
  const double first = (ys[1] - ys[0]) / (xs[1] - xs[0]);
  const double second = (ys[2] - ys[1]) / (xs[2] - xs[1]);
  const double bend = (second - first) / (xs[2] - xs[0]);
  return ys[0] + first * (x - xs[0]) + bend * (x - xs[0]) * (x - xs[1]);
}

}  // namespace

double extrapolate_seconds(const MeasuredStep& small, const MeasuredStep& large,
                           double operations) {
  const double slope = (large.seconds - small.seconds) / (large.operations - small.operations);
  const double beside = large.seconds - slope * large.operations;
  if (!(slope > 0) || !(beside > 0)) return large.seconds * operations / large.operations;
  return beside + slope * operations;
}

PictureTimes measure_picture_times(const TextEncoders& text_encoders, const UNet& unet,
                                   const StepShape& shape, GradientMemory memory) {
  const SmallStep step{text_encoders, unet, memory, shape.chunks};
  std::array<double, 3> areas{};
  std::array<double, 3> operations{};
  std::array<double, 3> seconds{};
  for (std::size_t i = 0; i < kSides.size(); ++i) {
    areas[i] = static_cast<double>(kSides[i] * kSides[i]);
    // The first step at a size brings weights into memory, and libraries compile kernels for it.
    operations[i] = count_operations(step, kSides[i]);
    if (i > 0) seconds[i] = time_step(step, kSides[i], /*with_gradient=*/true);
  }
  const double area = static_cast<double>(shape.latent_height) * shape.latent_width;
  const double with_gradient =
      extrapolate_seconds({operations[1], seconds[1]}, {operations[2], seconds[2]},
                          extrapolate(areas, operations, area));
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
  const std::string previews = work.evaluation_passes == 0
                                   ? ", no previews"
                                   : " and " + std::to_string(work.evaluations) +
                                         " evaluations with previews of " +
                                         duration_text(evaluation) + " each";
  return "Time: at most about " + duration_text(estimate_seconds(work, times)) +
         " on this processor, " + std::to_string(work.steps) + " steps of " + duration_text(step) +
         previews + "; quicker are a GPU (`device`), fewer " +
         (work.evaluation_passes == 0
              ? ""
              : "evaluations (`milestone-steps`), fewer or no `previews`, ") +
         "`max-steps`, smaller pictures (`size`), and a smaller `batch`";
}

}  // namespace sdx
