#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

#include "sdx/util/json.h"

namespace sdx {

/// This program once more, which answers each line with one of JSON. Its stderr is ours.
class BenchChild {
 public:
  /// @throws TryAgainError if it cannot be started.
  explicit BenchChild(std::vector<std::string> arguments);
  ~BenchChild();
  BenchChild(const BenchChild&) = delete;
  BenchChild& operator=(const BenchChild&) = delete;

  /// Sends a line and waits for the next answer.
  /// @throws Error with the child's exit code, if it ends instead.
  Json ask();

 private:
  [[noreturn]] void throw_end();

  pid_t process_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

}  // namespace sdx
