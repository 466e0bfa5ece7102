// Catch2, version 2 (Debian 12) or 3 (Ubuntu 24.04), whichever this system has. Include it last:
// libtorch defines CHECK too, and the tests mean Catch2's. Tests are written in version 3's words.
#pragma once

#include <cstdio>
#include <string>

#include "support/skip.h"

#undef CHECK
#undef CHECK_FALSE
#undef CHECK_THROWS
#undef FAIL
#undef INFO
#undef REQUIRE
#undef WARN

#if SDX_CATCH2_MAJOR == 2
#include <catch2/catch.hpp>

namespace Catch::Matchers {
/// Version 3's name for what version 2 calls Contains.
inline auto ContainsSubstring(const std::string& part) { return Contains(part); }
}  // namespace Catch::Matchers
#else
#include <catch2/catch_all.hpp>
#endif

/// Ends the test case because this machine lacks what it needs (a GPU, a file outside the
/// repository). scripts/test.sh counts and shows these lines, so that nothing is left out unseen. A
/// process all of whose cases were skipped ends with 4, which CTest counts as skipped. So in a file
/// with other cases, tag such a case "[needs-…]": it is then a test of its own.
#if SDX_CATCH2_MAJOR == 2
#define SDX_END_SKIPPED(reason)   \
  ++::sdx::test::skipped_cases(); \
  return
#else
#define SDX_END_SKIPPED(reason) SKIP(reason)
#endif
#define SDX_SKIP(reason)                                       \
  do {                                                         \
    std::printf("SKIPPED: %s\n", std::string(reason).c_str()); \
    std::fflush(stdout);                                       \
    SDX_END_SKIPPED(reason);                                   \
  } while (false)
