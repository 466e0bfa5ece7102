#include "sdx/util/time_left.h"

#include <algorithm>
#include <cmath>

namespace sdx {

namespace {

/// How much the newest pause counts beside the mean of those before it.
constexpr double kNewestPause = 0.5;

}  // namespace

TimeLeft::TimeLeft(int total, int pauses) : total_(total), pauses_left_(pauses) {}

void TimeLeft::end_step(int done, double now) {
  const double took = now - last_;
  const int count = done - done_;
  const bool is_first = done_ < 0;
  last_ = now;
  done_ = done;
  // The first step finds the model cold: memory, kernels and graphs are made in it.
  if (is_first || count <= 0) return;
  const double memory = std::max(kAveraging_s, kAveragedSteps * took / count);
  const double kept = std::exp(-took / memory);
  time_ = kept * time_ + took;
  steps_ = kept * steps_ + count;
}

void TimeLeft::end_pause(double now) {
  const double took = now - last_;
  last_ = now;
  pauses_left_ = std::max(pauses_left_ - 1, 0);
  if (steps_ == 0) {
    // It counts only until another is seen: the first pass through a model takes longer.
    first_pause_s_ = took;
    return;
  }
  const double in_steps = took / find_step_seconds();
  pause_steps_ =
      pause_steps_ ? kNewestPause * in_steps + (1 - kNewestPause) * *pause_steps_ : in_steps;
}

std::optional<double> TimeLeft::seconds() const {
  if (time_ <= 0) return std::nullopt;
  const double pause_s = pause_steps_ ? *pause_steps_ * find_step_seconds() : first_pause_s_;
  const double left = (total_ - done_) * find_step_seconds() + pauses_left_ * pause_s;
  return left > 0 ? std::optional(left) : std::nullopt;
}

std::optional<double> TimeLeft::steps_per_second() const {
  return time_ > 0 ? std::optional(steps_ / time_) : std::nullopt;
}

}  // namespace sdx
