#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "support/catch.h"
#include "support/run.h"

namespace sdx::test {

/// All that a program writes to a terminal.
/// @param terminal_name $TERM
inline std::string run_at_terminal(Run command, const std::string& terminal_name) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const std::string other_end = ::ptsname(terminal);
  command.prepare = [&] {
    const int stream = ::open(other_end.c_str(), O_RDWR | O_NOCTTY);
    ::dup2(stream, STDERR_FILENO);
    for (const char* name : {"TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID"}) {
      ::unsetenv(name);
    }
    ::setenv("TERM", terminal_name.c_str(), 1);
  };
  int held = ::open(other_end.c_str(), O_RDWR | O_NOCTTY);
  std::string seen;
  std::thread reader([&] {
    std::array<char, 4096> buffer;
    for (ssize_t size; (size = ::read(terminal, buffer.data(), buffer.size())) > 0;) {
      seen.append(buffer.data(), static_cast<std::size_t>(size));
    }
  });
  const RunResult result = run(command);
  ::close(held);  // the last writer: the reader comes to its end
  reader.join();
  ::close(terminal);
  INFO(seen);
  CHECK(result.exit_code == 0);
  return seen;
}

}  // namespace sdx::test
