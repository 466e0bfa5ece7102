#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "support/catch.h"

namespace sdx::test {

/// The message of the `Exception` that `action` throws; the test fails if it throws nothing or
/// something else. Matchers for strings have other names in Catch2 2 and 3, so tests look into the
/// message with contains().
template <typename Exception, typename Action>
std::string catch_message(Action&& action) {
  try {
    action();
  } catch (const Exception& error) {
    return error.what();
  } catch (const std::exception& error) {
    FAIL("another exception was thrown: " << error.what());
  }
  FAIL("nothing was thrown");
  return {};
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace sdx::test
