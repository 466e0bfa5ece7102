#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/run.h"

namespace sdx::test {

/// A refusal: an exit code, and a message of ours with these words.
inline void check_refused(const RunResult& result, int exit_code,
                          const std::vector<std::string>& words) {
  INFO("stderr: " << result.err);
  CHECK(result.exit_code == exit_code);
  CHECK_THAT(result.err, Catch::Matchers::ContainsSubstring(": error: "));
  for (const std::string& word : words) {
    CHECK_THAT(result.err, Catch::Matchers::ContainsSubstring(word));
  }
  CHECK_THAT(result.err, !Catch::Matchers::ContainsSubstring("exception"));
}

/// The same in one line, and nothing on stdout.
inline void check_refused_in_a_line(const RunResult& result, int exit_code,
                                    const std::vector<std::string>& words) {
  check_refused(result, exit_code, words);
  INFO("stderr: " << result.err);
  CHECK(result.out.empty());
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

}  // namespace sdx::test
