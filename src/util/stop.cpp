#include "sdx/util/stop.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace sdx {
namespace {

std::atomic<int> g_stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not take a lock");

extern "C" void on_stop_signal(int signal_number) {
  int none = 0;
  if (!g_stop_signal.compare_exchange_strong(none, signal_number)) ::_exit(128 + signal_number);
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

  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);
}

int stop_signal() { return g_stop_signal.load(); }

}  // namespace sdx
