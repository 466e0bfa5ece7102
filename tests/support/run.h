#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/temp_folder.h"

namespace sdx::test {

/// What a program said and how it ended.
struct RunResult {
  int exit_code = -1;  ///< 128 + signal if a signal ended it
  std::string out;
  std::string err;
  double seconds = 0;     ///< wall clock
  double peak_bytes = 0;  ///< of resident memory, mapped files included
};

/// One of our programs, started as a shell would start it.
struct Run {
  std::string tool;  ///< "sdx-train"
  std::vector<std::string> arguments;
  std::filesystem::path folder;               ///< to start in
  std::filesystem::path input = "/dev/null";  ///< standard input
  std::function<void()> prepare = [] {};      ///< in the child, before it becomes the program
  std::function<void(pid_t)> meanwhile = [](pid_t) {};  ///< in the test, while the program runs
};

inline RunResult run(const Run& what) {
  const TempFolder streams;
  const std::string out = streams.path() / "out";
  const std::string err = streams.path() / "err";
  std::vector<std::string> words = {std::filesystem::path(SDX_BIN_DIR) / what.tool};
  words.insert(words.end(), what.arguments.begin(), what.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  // Here and not in the child, which may be killed before it gets so far.
  for (const std::string& stream : {out, err}) {
    ::close(::open(stream.c_str(), O_WRONLY | O_CREAT, 0600));
  }
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    const int mode = O_WRONLY | O_CREAT | O_TRUNC;
    ::dup2(::open(what.input.c_str(), O_RDONLY), STDIN_FILENO);
    ::dup2(::open(out.c_str(), mode, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), mode, 0600), STDERR_FILENO);
    if (!what.folder.empty() && ::chdir(what.folder.c_str()) != 0) ::_exit(126);
    what.prepare();
    ::execv(argv.front(), argv.data());
    ::_exit(127);
  }
  what.meanwhile(child);
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, read_bytes(out), read_bytes(err), seconds,
          static_cast<double>(usage.ru_maxrss) * 1024};
}

/// Whether a started program has not ended yet; for Run::meanwhile.
inline bool is_running(pid_t child) {
  siginfo_t ended{};
  return ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == 0;
}

}  // namespace sdx::test
