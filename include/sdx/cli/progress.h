#pragma once

#include <chrono>
#include <string>

#include "sdx/util/stopwatch.h"
#include "sdx/util/time_left.h"

namespace sdx {

/// "People [######..................] 3/12"
std::string bar_text(const std::string& label, int done, int total);

/// A bar on stderr with count, rate, remaining time and the figure that matters. Without a terminal
/// a plain line every tenth of the way; nothing when `quiet`.
class ProgressBar {
 public:
  /// @param header a line above, such as the bar_text() of what this bar is a part of; on a
  /// terminal
  ///        only.
  ProgressBar(std::string label, int total, bool quiet, std::string header = {});
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// What is to be known for the time that is left.
  /// @param pauses         as of TimeLeft
  /// @param may_end_sooner the total is the most that may come; then the bar says "at most"
  void plan(int pauses, bool may_end_sooner);

  /// One of the planned pauses has ended.
  void end_pause();

  /// A line for whoever watches, above the bar: on a terminal only.
  void remark(const std::string& line);

  /// @param figure e.g. "loss 0.0312"
  void update(int done, const std::string& figure = "");

  /// Writes what shows a picture to stderr, above the bar, in the place of the one that was written
  /// last if nothing has come between.
  /// @param rows  lines that it takes
  /// @param erase what takes the one before away, written at its first line
  static void write_picture_above(const std::string& text, int rows, const std::string& erase);

  /// Writes to stderr, above the bar that stands there, if one does.
  static void write_above(const std::string& text);

 private:
  void draw(int done, const std::string& figure);
  std::string erasing() const;
  std::string line(int done, const std::string& figure) const;

  std::string label_;
  int total_;
  bool quiet_;
  bool is_terminal_;
  std::string header_;
  std::string drawn_;  ///< what stands on the terminal
  int next_plain_ = 0;
  bool may_end_sooner_ = false;
  TimeLeft left_;
  Stopwatch stopwatch_;
  std::chrono::steady_clock::time_point last_drawn_;
};

}  // namespace sdx
