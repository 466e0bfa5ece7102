#pragma once

#include <optional>

namespace sdx {

/// Estimates how long work of many like steps will still take. It reads no clock: the caller says
/// when something happened, so that a test can play any timings.
///
///     TimeLeft left(400, /*pauses=*/9);
///     left.end_pause(4.1);      // such as the evaluation of the start
///     left.end_step(1, 9.8);    // the first one is slow and is not counted
///     left.end_step(2, 10.1);
///     left.seconds();           // 398 steps and 8 pauses
///
/// A step's time is a mean that forgets: what is kAveraging_s, or kAveragedSteps steps, ago weighs
/// 1/e. So a machine that gets slower is believed after a while, and one slow step is not taken for
/// the rule. Pauses are counted apart, in steps' times, since a slower machine pauses longer too.
/// After a minute of even work, and a minute after a change, the estimate is within 20 % of the
/// truth.
class TimeLeft {
 public:
  static constexpr double kAveraging_s = 20;
  static constexpr double kAveragedSteps = 10;

  /// @param total  steps of the whole work, 1 or more
  /// @param pauses long breaks that are planned between steps, before the first and after the last
  ///               one included; 0 if there are none
  explicit TimeLeft(int total, int pauses = 0);

  /// A step has ended, or several.
  /// @param done steps that are done, those of an earlier process included
  /// @param now  seconds since the work began; never less than before
  void end_step(int done, double now);

  /// One of the planned pauses has ended, which began when the call before this one was made.
  /// @param now as of end_step
  void end_pause(double now);

  /// @return seconds from the last call on; nothing before the second step, nor where nothing is
  /// left
  std::optional<double> seconds() const;

  /// @return how fast steps are now, without the pauses; nothing before the second step
  std::optional<double> steps_per_second() const;

 private:
  double find_step_seconds() const { return time_ / steps_; }

  int total_;
  int pauses_left_;
  int done_ = -1;                      ///< at the last call of end_step
  double last_ = 0;                    ///< when the last call was
  double time_ = 0;                    ///< of the steps that count, weighted
  double steps_ = 0;                   ///< how many they are, weighted
  double first_pause_s_ = 0;           ///< of a pause before the first step that counts
  std::optional<double> pause_steps_;  ///< of the pauses behind it, in steps' times
};

}  // namespace sdx
