#include "sdx/util/stop.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "sdx/util/file.h"
#include "support/child.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using namespace sdx;
using sdx::test::run_for_exit_code;

// In children: the handlers and the request stay for the rest of a process.

TEST_CASE("util: no stop is asked for at first", "[util]") { CHECK(stop_signal() == 0); }

TEST_CASE("util: the first signal is a request, the second ends the process", "[util]") {
  CHECK(run_for_exit_code([] {
          install_stop_handlers();
          std::raise(SIGINT);
          return stop_signal() == SIGINT ? 5 : 6;
        }) == 5);
  CHECK(run_for_exit_code([] {
          install_stop_handlers();
          std::raise(SIGTERM);
          return stop_signal() == SIGTERM ? 5 : 6;
        }) == 5);
  CHECK(run_for_exit_code([] {
          install_stop_handlers();
          std::raise(SIGINT);
          std::raise(SIGTERM);
          return 5;
        }) == 143);
  CHECK(run_for_exit_code([] {
          install_stop_handlers();
          std::raise(SIGTERM);
          std::raise(SIGINT);
          return 5;
        }) == 130);
}

TEST_CASE("util: who does not hear of a stop in time is ended, and leaves no temporary file",
          "[util]") {
  const sdx::test::TempFolder folder;
  const auto work_on_deafly = [&folder] {
    install_stop_handlers();
    AtomicFile file(folder.path() / "picture.png");
    file.write("half of it");
    std::raise(SIGTERM);
    while (true) ::pause();
    return 5;
  };
  CHECK(run_for_exit_code(work_on_deafly) == 143);
  CHECK(std::filesystem::is_empty(folder.path()));

  const auto hear_and_go_on = [] {
    install_stop_handlers();
    std::raise(SIGTERM);
    if (stop_signal() != SIGTERM) return 6;
    ::pause();  // until the alarm, which ends nobody who has heard
    return 5;
  };
  CHECK(run_for_exit_code(hear_and_go_on) == 5);
}

TEST_CASE("util: a closed pipe is an error and no death", "[util]") {
  const auto write_to_closed_pipe = [] {
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    ::close(ends[0]);
    return ::write(ends[1], "x", 1) == -1 && errno == EPIPE ? 5 : 6;
  };
  CHECK(run_for_exit_code([&] {
          install_stop_handlers();
          return write_to_closed_pipe();
        }) == 5);
  // Without the handlers it is a death: so the case above shows something.
  CHECK(run_for_exit_code([&] {
          std::signal(SIGPIPE, SIG_DFL);
          return write_to_closed_pipe();
        }) == 1000 + SIGPIPE);
}

TEST_CASE("util: a full quota of the file size is an error and no death", "[util]") {
  CHECK(run_for_exit_code([] {
          std::signal(SIGXFSZ, SIG_DFL);
          install_stop_handlers();
          struct sigaction found = {};
          ::sigaction(SIGXFSZ, nullptr, &found);
          return found.sa_handler == SIG_IGN ? 5 : 6;
        }) == 5);
}
