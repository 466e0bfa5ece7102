// The estimator on timings that were made up after real ones. No clock, no sleep.

#include "sdx/util/time_left.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "support/catch.h"

using sdx::TimeLeft;

namespace {

/// What happens in a piece of work, and when.
struct Event {
  double at = 0;
  int done = 0;
  bool is_pause = false;
};

/// A training as the trainer goes about it: an evaluation at the start, at each `every` steps and
/// at the end.
/// @param step  seconds that the step behind `done` others takes
/// @param pause seconds that an evaluation takes, after so many steps
std::vector<Event> make_training(int total, int every, const std::function<double(int)>& step,
                                 const std::function<double(int)>& pause) {
  std::vector<Event> events;
  double now = 0;
  for (int done = 0; done <= total; ++done) {
    if (every > 0 && (done % every == 0 || done == total)) {
      now += pause(done);
      events.push_back({now, done, true});
    }
    if (done == total) break;
    now += step(done);
    events.push_back({now, done + 1, false});
  }
  return events;
}

/// The largest error of the estimate, as a share of the true time, from `from_s` after the second
/// step on and until `least_left_s` is left: nobody minds 2 s in place of 3.
double find_worst_error(TimeLeft& left, const std::vector<Event>& events, double from_s,
                        double least_left_s) {
  double worst = 0;
  const auto second = std::find_if(events.begin(), events.end(), [](const Event& event) {
    return !event.is_pause && event.done == 2;
  });
  from_s += second->at;
  for (const Event& event : events) {
    if (event.is_pause) {
      left.end_pause(event.at);
    } else {
      left.end_step(event.done, event.at);
    }
    const double truth = events.back().at - event.at;
    if (event.at < from_s || truth < least_left_s) continue;
    const auto seconds = left.seconds();
    REQUIRE(seconds);
    worst = std::max(worst, std::abs(*seconds - truth) / truth);
  }
  return worst;
}

double find_worst_error(int total, int every, const std::function<double(int)>& step,
                        const std::function<double(int)>& pause, double from_s = 60,
                        double least_left_s = 5) {
  TimeLeft left(total, every > 0 ? (total + every - 1) / every + 1 : 0);
  return find_worst_error(left, make_training(total, every, step, pause), from_s, least_left_s);
}

/// From -1 to 1, the same in each run.
double scatter(int done) { return std::sin(12.9898 * done + 78.233); }

bool is_near(std::optional<double> value, double expected) {
  return value && std::abs(*value - expected) < 1e-6;
}

const auto no_pause = [](int) { return 0.0; };

}  // namespace

TEST_CASE("time left: even work is told exactly, from the second step on") {
  TimeLeft left(10);
  CHECK(!left.seconds());
  left.end_step(1, 30);  // cold
  CHECK(!left.seconds());
  CHECK(!left.steps_per_second());
  left.end_step(2, 32);
  CHECK(is_near(left.seconds(), 16));
  CHECK(is_near(left.steps_per_second(), 0.5));
  left.end_step(5, 38);  // several at once
  CHECK(is_near(left.seconds(), 10));
  left.end_step(10, 48);
  CHECK(!left.seconds());
}

TEST_CASE("time left: a first step with warm-up spoils nothing") {
  // A GPU that compiles and captures: 25 s, then 0.4 s, the second step still slow.
  const auto step = [](int done) { return done == 0 ? 25 : done == 1 ? 6 : 0.4; };
  CHECK(find_worst_error(1000, 0, step, no_pause) < 0.05);
  // A processor, where all steps are slow.
  CHECK(find_worst_error(
            60, 0, [](int done) { return done == 0 ? 40 : 12; }, no_pause) < 0.01);
}

TEST_CASE("time left: evaluations at milestones are foreseen") {
  // The built-in model on two cores: 0.1 s a step, 3 s an evaluation, every 50 steps.
  CHECK(find_worst_error(
            2000, 50, [](int) { return 0.1; }, [](int) { return 3.0; }) < 0.05);
  // A full-size model on a processor: no milestone but that of the start within the first minute.
  CHECK(find_worst_error(
            200, 50, [](int) { return 9.0; }, [](int) { return 260.0; }) < 0.05);
  // The first evaluation is slower, as nothing is warm.
  CHECK(find_worst_error(
            400, 50, [](int done) { return done == 0 ? 8 : 0.5; },
            [](int done) { return done == 0 ? 20 : 8; }) < 0.2);
  // One at the end only, which the last steps must not forget.
  TimeLeft left(3, 2);
  left.end_pause(7);
  left.end_step(1, 9);
  left.end_step(2, 10);
  CHECK(is_near(left.seconds(), 1 + 7));
  left.end_step(3, 11);
  CHECK(is_near(left.seconds(), 7));
  left.end_pause(18);
  CHECK(!left.seconds());
}

TEST_CASE("time left: steps that scatter and measurements between them are averaged") {
  const auto uneven = [](int done) { return 1 + 0.5 * scatter(done); };
  CHECK(find_worst_error(400, 0, uneven, no_pause, 60, 20) < 0.2);
  // Each tenth step is followed by a measurement of a step and a half.
  const auto measured = [](int done) { return done % 10 == 0 ? 2.5 : 1.0; };
  CHECK(find_worst_error(400, 50, measured, [](int) { return 12.0; }) < 0.2);
  CHECK(find_worst_error(
            300, 50, [&](int done) { return 4 * measured(done); }, [](int) { return 50.0; }) < 0.2);
}

TEST_CASE("time left: a machine that gets slower is believed within a minute") {
  constexpr int kChange = 600;
  for (const double factor : {2.0, 3.0, 0.5}) {
    INFO("steps take " << factor << " times as long from step " << kChange << " on");
    const auto step = [&](int done) { return done < kChange ? 0.25 : 0.25 * factor; };
    const auto pause = [&](int done) { return done < kChange ? 5.0 : 5.0 * factor; };
    constexpr double kBefore_s = kChange * 0.25 + 12 * 5.0;
    CHECK(find_worst_error(2000, 50, step, pause, kBefore_s + 60) < 0.2);
    // The seconds before the change cannot know of it.
    CHECK(find_worst_error(2000, 50, step, pause, 60) > 0.2);
  }
}

TEST_CASE("time left: a training that goes on counts from where it was") {
  TimeLeft left(400, 4);  // 250, 300, 350 and the end
  left.end_pause(5);
  left.end_step(251, 8);
  left.end_step(252, 9);
  CHECK(is_near(left.seconds(), 148 + 3 * 5));
}
