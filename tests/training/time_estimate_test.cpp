#include "sdx/training/time_estimate.h"

#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::tiny_bundle;

TEST_CASE("training: a training's time is that of its steps, measurements and evaluations",
          "[training]") {
  sdx::InversionOptions options;
  options.steps = 400;
  options.batch_size = 4;
  options.accumulate = 2;
  sdx::TrainerOptions trainer;
  trainer.milestone_steps = 50;
  sdx::TrainingWork work = sdx::count_work(options, trainer, 0, 6);
  CHECK(work.steps == 400);
  CHECK(work.step_pictures == 8);
  CHECK(work.measured_pictures == 41 * 16);
  CHECK(work.evaluations == 9);
  CHECK(work.evaluation_passes == 6 * 12 * 2 + 6 * 8 * 6);
  CHECK(sdx::estimate_seconds(work, {2, 0.5}) == 400 * 8 * 2 + (41 * 16 + 9 * 432) * 0.5);
  const std::string sentence = sdx::describe_time(work, {2, 0.5});
  CHECK_THAT(sentence, ContainsSubstring("400 steps") && ContainsSubstring("9 evaluations") &&
                           ContainsSubstring("`device`") &&
                           ContainsSubstring("`milestone-steps`") &&
                           ContainsSubstring("`previews`") && ContainsSubstring("`size`"));
  work = sdx::count_work(options, trainer, 390, 6);
  CHECK(work.steps == 10);
  CHECK(work.evaluations == 1);
  trainer.milestone_steps = 0;
  CHECK(sdx::count_work(options, trainer, 0, 6).evaluations == 1);
}

TEST_CASE("training: the time of a picture is measured, and grows with its size", "[training]") {
  const sdx::TextEncoders text_encoders(tiny_bundle(), c10::DeviceType::CPU);
  const sdx::UNet unet(tiny_bundle(), {});
  const auto measure = [&](int side) {
    return sdx::measure_picture_times(text_encoders, unet, {1, 0, side, side},
                                      sdx::GradientMemory::kNormal);
  };
  const sdx::PictureTimes small = measure(32);
  CHECK(small.pass_s > 0);
  CHECK(small.with_gradient_s > 0);
  CHECK(measure(256).with_gradient_s > small.with_gradient_s);
}

TEST_CASE("training: a step's time follows from its arithmetic and what every step takes",
          "[training]") {
  // Half a second beside, 2 s for each operation.
  CHECK(sdx::extrapolate_seconds({1, 2.5}, {4, 8.5}, 10) == 20.5);
  // A clock that says nonsense of the small step: in proportion to the large one.
  CHECK(sdx::extrapolate_seconds({1, 9}, {4, 8}, 10) == 20);
  CHECK(sdx::extrapolate_seconds({1, 0.5}, {4, 8}, 10) == 20);
}

TEST_CASE("training: without previews nothing is said of evaluations", "[training]") {
  sdx::InversionOptions options;
  options.steps = 10;
  const sdx::TrainingWork work = sdx::count_work(options, {}, 0, 0);
  CHECK(work.evaluation_passes == 0);
  const std::string sentence = sdx::describe_time(work, {2, 0.5});
  CHECK_THAT(sentence, ContainsSubstring("no previews") && ContainsSubstring("`size`") &&
                           !ContainsSubstring("milestone"));
}
