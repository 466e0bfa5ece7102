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

ProgressBar::ProgressBar(std::string label, int total, bool quiet)
    : label_(std::move(label)),
      total_(std::max(total, 1)),
      quiet_(quiet),
      is_terminal_(isatty(STDERR_FILENO) != 0),
      start_(std::chrono::steady_clock::now()),
      last_drawn_(start_ - kRedraw) {
  if (is_terminal_) update(0);
}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputc('\n', stderr);
}

void ProgressBar::update(int done, const std::string& figure) {
  if (quiet_) return;
  const auto now = std::chrono::steady_clock::now();
  if (is_terminal_) {
    if (now - last_drawn_ < kRedraw && done < total_) return;
    last_drawn_ = now;
    drawn_ = true;
    std::fprintf(stderr, "\r\x1b[K%s", line(done, figure).c_str());
    std::fflush(stderr);
  } else if (done >= next_plain_) {
    next_plain_ = done + std::max(total_ / 10, 1);
    std::fprintf(stderr, "%s\n", line(done, figure).c_str());
  }
}

double ProgressBar::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

std::string ProgressBar::line(int done, const std::string& figure) const {
  std::string text = label_;
  if (is_terminal_) {
    const auto filled = static_cast<std::size_t>(kBarCells * done / total_);
    text += " [" + std::string(filled, '#') + std::string(kBarCells - filled, '.') + "]";
  }
  text += " " + std::to_string(done) + "/" + std::to_string(total_);
  if (done > 0) {
    const double rate = done / std::max(seconds(), 1e-6);
    char rate_text[32];
    std::snprintf(rate_text, sizeof rate_text, "  %.1f/s", rate);
    text += rate_text;
    if (done < total_) text += "  " + duration_text((total_ - done) / rate) + " left";
  }
  if (!figure.empty()) text += "  " + figure;
  return text;
}

}  // namespace sdx
