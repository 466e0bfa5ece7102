#include "sdx/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <mutex>

#include "sdx/util/units.h"

namespace sdx {

namespace {

constexpr int kBarCells = 24;
constexpr std::chrono::milliseconds kRedraw{100};

std::mutex terminal;                        ///< guards it, and what stands there
const ProgressBar* standing_bar = nullptr;  ///< the one on the terminal's last line
int picture_rows = 0;  ///< lines of the picture just above the bar's line; 0: there is none

void write(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string bar_text(const std::string& label, int done, int total) {
  const int filled = kBarCells * std::min(done, total) / std::max(total, 1);
  return label + " [" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(kBarCells - filled), '.') + "] " +
         std::to_string(done) + "/" + std::to_string(total);
}

ProgressBar::ProgressBar(std::string label, int total, bool quiet, std::string header)
    : label_(std::move(label)),
      total_(std::max(total, 1)),
      quiet_(quiet),
      is_terminal_(isatty(STDERR_FILENO) != 0),
      header_(std::move(header)),
      left_(total_),
      last_drawn_(std::chrono::steady_clock::now() - kRedraw) {
  if (is_terminal_ && !quiet_) draw(0, "");
}

ProgressBar::~ProgressBar() {
  const std::lock_guard lock(terminal);
  if (standing_bar != this) return;
  picture_rows = 0;
  std::fputc('\n', stderr);
  standing_bar = nullptr;
}

void ProgressBar::update(int done, const std::string& figure) {
  if (quiet_) return;
  const auto now = std::chrono::steady_clock::now();
  left_.end_step(done, stopwatch_.seconds());
  if (is_terminal_) {
    if (now - last_drawn_ < kRedraw && done < total_) return;
    last_drawn_ = now;
    draw(done, figure);
  } else if (done >= next_plain_) {
    next_plain_ = done + std::max(total_ / 10, 1);
    write(line(done, figure) + "\n");
  }
}

void ProgressBar::plan(int pauses, bool may_end_sooner) {
  left_ = TimeLeft(total_, pauses);
  may_end_sooner_ = may_end_sooner;
}

void ProgressBar::end_pause() { left_.end_pause(stopwatch_.seconds()); }

void ProgressBar::remark(const std::string& line) {
  if (is_terminal_ && !quiet_) write_above(line + "\n");
}

void ProgressBar::draw(int done, const std::string& figure) {
  const std::lock_guard lock(terminal);
  const std::string erased = erasing();
  standing_bar = this;
  drawn_ = (header_.empty() ? "" : header_ + "\n") + line(done, figure);
  write(erased + drawn_);
}

/// What takes the bar from the terminal.
std::string ProgressBar::erasing() const {
  if (standing_bar != this) return "";
  return header_.empty() ? "\r\x1b[K" : "\r\x1b[K\x1b[A\x1b[K";
}

void ProgressBar::write_picture_above(const std::string& text, int rows, const std::string& erase) {
  const std::lock_guard lock(terminal);
  const ProgressBar* const bar = standing_bar;
  const std::string up = "\x1b[" + std::to_string(picture_rows) + "A\x1b[J";
  write((bar == nullptr ? "" : bar->erasing()) + (picture_rows > 0 ? up + erase : "") + text +
        (bar == nullptr ? "" : bar->drawn_));
  picture_rows = rows;
}

void ProgressBar::write_above(const std::string& text) {
  const std::lock_guard lock(terminal);
  picture_rows = 0;
  const ProgressBar* const bar = standing_bar;
  write(bar == nullptr ? text : bar->erasing() + text + bar->drawn_);
}

std::string ProgressBar::line(int done, const std::string& figure) const {
  std::string text = is_terminal_
                         ? bar_text(label_, done, total_)
                         : label_ + " " + std::to_string(done) + "/" + std::to_string(total_);
  if (const auto rate = left_.steps_per_second()) {
    text += *rate >= 1 ? "  " + fixed_number(*rate, 1) + "/s"
                       : "  " + fixed_number(1 / *rate, 1) + " s each";
    const auto seconds = left_.seconds();
    if (seconds && done < total_) {
      text += std::string("  ") + (may_end_sooner_ ? "at most " : "") +
              duration_text(std::round(*seconds)) + " left";
    }
  }
  if (!figure.empty()) text += "  " + figure;
  return text;
}

}  // namespace sdx
