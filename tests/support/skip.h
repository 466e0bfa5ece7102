#pragma once

namespace sdx::test {

/// How many test cases of this process were skipped. Of use with Catch2 version 2 only.
inline int& skipped_cases() {
  static int count = 0;
  return count;
}

}  // namespace sdx::test
