#include "cli/bench/bench_child.h"

#include "sdx/util/error.h"

namespace sdx {

BenchChild::BenchChild(std::vector<std::string> arguments)
    : process_({"sdx-bench", std::move(arguments)}) {}

Json BenchChild::ask() {
  process_.send("");
  LineReader& answers = process_.answers();
  for (;;) {
    if (const auto line = answers.next()) return Json::parse(*line);
    if (!answers.is_open()) break;
    answers.fill();
  }
  const int code = process_.wait();
  throw Error(static_cast<ExitCode>(code == 0 ? 70 : code),
              "a measurement ended with code " + std::to_string(code) + " (see above)");
}

}  // namespace sdx
