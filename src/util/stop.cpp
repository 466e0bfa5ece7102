#include "sdx/util/stop.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "util/temporary_files.h"

namespace sdx {
namespace {

// A step of a large model takes minutes, and who asked for the end waits: timeout(1), systemd and
// Slurm kill what is still there a few seconds after SIGTERM.
constexpr unsigned kSecondsUntilEnd = 1;

std::atomic<int> g_stop_signal{0};
std::atomic<bool> g_was_seen{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler may not take a lock");

[[noreturn]] void end_now(int signal_number) {
  remove_temporary_files();
  ::_exit(128 + signal_number);
}

extern "C" void on_stop_signal(int signal_number) {
  int none = 0;
  if (!g_stop_signal.compare_exchange_strong(none, signal_number)) end_now(signal_number);
  ::alarm(kSecondsUntilEnd);
}

extern "C" void on_alarm(int) {
  const int signal_number = g_stop_signal.load();
  if (signal_number == 0 || g_was_seen.load()) return;
  constexpr const char* kMessage =
      "stopped in the middle of a long computation; no file is half-written\n";
  const ssize_t ignored = ::write(STDERR_FILENO, kMessage, std::strlen(kMessage));
  static_cast<void>(ignored);
  end_now(signal_number);
}

}  // namespace

void install_stop_handlers() {
  struct sigaction action = {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = on_stop_signal;
  // Restarted system calls: libraries that do not know EINTR must not fail because of a request.
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = on_alarm;
  ::sigaction(SIGALRM, &action, nullptr);

  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);
}

int stop_signal() {
  const int signal_number = g_stop_signal.load();
  if (signal_number != 0) g_was_seen.store(true);
  return signal_number;
}

}  // namespace sdx
