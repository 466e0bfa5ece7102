#include "sdx/device/pace.h"

#include <string>

#include "support/catch.h"

TEST_CASE("device: a round is counted when the rounds before it are done", "[device]") {
  std::string log;
  int marks = 0;
  sdx::Pace pace([&]() -> std::function<void()> {
    const std::string name = std::to_string(++marks);
    log += "mark " + name + ", ";
    return [&log, name] { log += "wait " + name + ", "; };
  });
  for (const char* round : {"a", "b", "c"}) {
    pace.end_round();
    log += std::string(round) + "; ";
  }
  // The work of a round is given before anybody waits for the one before, so the device goes on.
  CHECK(log == "mark 1, a; mark 2, wait 1, b; mark 3, wait 2, c; ");
}

TEST_CASE("device: a processor's rounds are done when they end", "[device]") {
  sdx::Pace pace(c10::Device("cpu"));
  for (int i = 0; i < 3; ++i) CHECK_NOTHROW(pace.end_round());
}
