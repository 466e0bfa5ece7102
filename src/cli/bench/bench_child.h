#pragma once

#include <string>
#include <vector>

#include "cli/child_process.h"
#include "sdx/util/json.h"

namespace sdx {

/// This program once more, which answers each line with one of JSON. Its stderr is ours.
class BenchChild {
 public:
  /// @throws TryAgainError if it cannot be started.
  explicit BenchChild(std::vector<std::string> arguments);

  /// Sends a line and waits for the next answer.
  /// @throws Error with the child's exit code, if it ends instead.
  Json ask();

 private:
  ChildProcess process_;
};

}  // namespace sdx
