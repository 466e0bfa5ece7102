#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sdx {

/// How a further process of this program is started.
struct ChildCommand {
  std::string tool;  ///< what it calls itself in messages: "sdx-roster"
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< beside ours, or in place
  bool keeps_messages = false;  ///< we read its stderr; false: it is ours
};

/// The lines that come out of a pipe.
class LineReader {
 public:
  LineReader() = default;
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// @param descriptor of the pipe; this closes it.
  void read_from(int descriptor) { descriptor_ = descriptor; }

  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

  /// Waits for more, and takes what is there; at the end of the pipe it is closed.
  void fill();

  /// Who writes then is told that nobody reads.
  void close();

  /// The next whole line of what was taken, without its end; after the pipe's end also a part of
  /// one.
  std::optional<std::string> next();

 private:
  int descriptor_ = -1;
  std::string taken_;
  std::size_t searched_ = 0;  ///< bytes of what was taken in which no line ends
};

/// This program once more. It reads lines from us and writes lines to us.
class ChildProcess {
 public:
  /// @throws TryAgainError if it cannot be started.
  explicit ChildProcess(const ChildCommand& command);
  /// Waits for its end.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// What it writes to stdout, and to stderr if the command says so.
  LineReader& answers() { return answers_; }
  LineReader& messages() { return messages_; }

  /// Writes a line to its stdin. Nothing happens if it has ended: its answers end, too.
  void send(const std::string& line);

  /// After this it finds the end of its stdin.
  void end_input();

  void signal(int number) const;

  /// Waits for its end.
  /// @return its exit code, or 128 and the signal that ended it
  int wait();

 private:
  pid_t process_ = -1;
  std::optional<int> code_;
  int input_ = -1;
  LineReader answers_;
  LineReader messages_;
};

}  // namespace sdx
