#include "cli/bench/bench_child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kReadEnd = 0;
constexpr int kWriteEnd = 1;

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw TryAgainError(std::string("no pipe to another process: ") + std::strerror(errno));
  }
  return ends;
}

}  // namespace

BenchChild::BenchChild(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sdx-bench");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const std::array<int, 2> in = make_pipe();
  const std::array<int, 2> out = make_pipe();
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[kReadEnd], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out[kWriteEnd], STDOUT_FILENO);
  const int error =
      ::posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, argv.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[kReadEnd]);
  ::close(out[kWriteEnd]);
  to_ = ::fdopen(in[kWriteEnd], "w");
  from_ = ::fdopen(out[kReadEnd], "r");
  if (error != 0) {
    std::fclose(to_);
    std::fclose(from_);
    throw TryAgainError(std::string("no further process: ") + std::strerror(error));
  }
}

BenchChild::~BenchChild() {
  std::fclose(to_);
  std::fclose(from_);
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

Json BenchChild::ask() {
  std::fputs("\n", to_);
  std::fflush(to_);
  char* line = nullptr;
  std::size_t size = 0;
  const ssize_t length = ::getline(&line, &size, from_);
  const std::string text(line == nullptr || length < 0 ? "" : line);
  std::free(line);
  if (text.empty()) throw_end();
  return Json::parse(text);
}

void BenchChild::throw_end() {
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  throw Error(static_cast<ExitCode>(code == 0 ? 70 : code),
              "a measurement ended with code " + std::to_string(code) + " (see above)");
}

}  // namespace sdx
