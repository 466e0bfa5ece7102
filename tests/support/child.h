#pragma once

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <stdexcept>

#include "sdx/util/error.h"

namespace sdx::test {

/// What a forked child that runs `action` (which returns an exit code) exits with: for tests that
/// need other limits, another user or another signal disposition. An sdx::Error becomes its exit
/// code, any other exception 1, and death by a signal 1000 + the signal.
template <typename Action>
int run_for_exit_code(Action&& action) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    int code = 1;
    try {
      code = action();
    } catch (const Error& error) {
      code = static_cast<int>(error.exit_code());
    } catch (...) {
      code = 1;
    }
    ::_exit(code);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw std::runtime_error("waitpid failed");
  }
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Gives up the rights of root, for which no permission check would bite. Only in a child.
inline void become_nobody() {
  constexpr unsigned kNobody = 65534;
  if (::geteuid() != 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) {
    throw std::runtime_error("cannot become nobody");
  }
}

}  // namespace sdx::test
