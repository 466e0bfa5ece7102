#include "cli/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "sdx/util/error.h"

namespace sdx {

namespace {

/// The two ends of a pipe, which no other process inherits. Who takes one closes it.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw TryAgainError(std::string("no pipe to another process: ") + std::strerror(errno));
    }
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    if (read_end >= 0) ::close(read_end);
    if (write_end >= 0) ::close(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end = -1;
  int write_end = -1;
};

bool is_set_anew(const ChildCommand& command, const std::string& entry) {
  for (const auto& [name, value] : command.environment) {
    if (entry.starts_with(name + "=")) return true;
  }
  return false;
}

std::vector<std::string> make_environment(const ChildCommand& command) {
  std::vector<std::string> entries;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    if (!is_set_anew(command, *entry)) entries.emplace_back(*entry);
  }
  for (const auto& [name, value] : command.environment) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> list_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

LineReader::~LineReader() { close(); }

void LineReader::close() {
  if (is_open()) ::close(descriptor_);
  descriptor_ = -1;
}

void LineReader::fill() {
  std::array<char, 65536> bytes;
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    taken_.append(bytes.data(), static_cast<std::size_t>(count));
    return;
  }
  close();
}

std::optional<std::string> LineReader::next() {
  std::size_t end = taken_.find('\n', searched_);
  if (end == taken_.npos) {
    searched_ = taken_.size();
    if (is_open() || taken_.empty()) return std::nullopt;
    end = taken_.size();
  }
  std::string line = taken_.substr(0, end);
  taken_.erase(0, end + 1);
  searched_ = 0;
  return line;
}

ChildProcess::ChildProcess(const ChildCommand& command) {
  std::vector<std::string> words = {command.tool};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  std::vector<std::string> environment = make_environment(command);
  Pipe in;
  Pipe out;
  Pipe messages;
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  if (command.keeps_messages) {
    ::posix_spawn_file_actions_adddup2(&actions, messages.write_end, STDERR_FILENO);
  }
  const int error = ::posix_spawn(&process_, "/proc/self/exe", &actions, nullptr,
                                  list_pointers(words).data(), list_pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw TryAgainError(std::string("no further process: ") + std::strerror(error));
  input_ = std::exchange(in.write_end, -1);
  answers_.read_from(std::exchange(out.read_end, -1));
  if (command.keeps_messages) messages_.read_from(std::exchange(messages.read_end, -1));
}

ChildProcess::~ChildProcess() {
  end_input();
  // It may be writing what nobody reads any more.
  answers_.close();
  messages_.close();
  wait();
}

void ChildProcess::send(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t sent = 0; sent < text.size() && input_ >= 0;) {
    const ssize_t count = ::write(input_, text.data() + sent, text.size() - sent);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      end_input();
    }
  }
}

void ChildProcess::end_input() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

void ChildProcess::signal(int number) const {
  if (!code_) ::kill(process_, number);
}

int ChildProcess::wait() {
  if (code_) return *code_;
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return *code_;
}

}  // namespace sdx
