#include "sdx/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sdx {

namespace {

constexpr int kBarCells = 24;
constexpr std::chrono::milliseconds kRedraw{100};

std::string duration_text(double seconds) {
  const int whole = static_cast<int>(seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, "%d:%02d", whole / 60, whole % 60);
  return text;
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
      last_drawn_(std::chrono::steady_clock::now() - kRedraw) {
  if (is_terminal_ && !quiet_) draw(0, "");
}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputc('\n', stderr);
}

void ProgressBar::update(int done, const std::string& figure) {
  if (quiet_) return;
  const auto now = std::chrono::steady_clock::now();
  if (first_done_ < 0) {
    first_done_ = done;
    start_ = now;
  }
  if (is_terminal_) {
    if (now - last_drawn_ < kRedraw && done < total_) return;
    last_drawn_ = now;
    draw(done, figure);
  } else if (done >= next_plain_) {
    next_plain_ = done + std::max(total_ / 10, 1);
    std::fprintf(stderr, "%s\n", line(done, figure).c_str());
  }
}

void ProgressBar::draw(int done, const std::string& figure) {
  std::string text = "\r\x1b[K" + line(done, figure);
  if (!header_.empty()) text = (drawn_ ? "\x1b[A\r\x1b[K" : "\r\x1b[K") + header_ + "\n" + text;
  drawn_ = true;
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

std::string ProgressBar::line(int done, const std::string& figure) const {
  std::string text = is_terminal_
                         ? bar_text(label_, done, total_)
                         : label_ + " " + std::to_string(done) + "/" + std::to_string(total_);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
  if (done > first_done_) {
    const double rate = (done - first_done_) / std::max(passed.count(), 1e-6);
    char rate_text[32];
    std::snprintf(rate_text, sizeof rate_text, "  %.1f/s", rate);
    text += rate_text;
    if (done < total_) text += "  " + duration_text((total_ - done) / rate) + " left";
  }
  if (!figure.empty()) text += "  " + figure;
  return text;
}

}  // namespace sdx
