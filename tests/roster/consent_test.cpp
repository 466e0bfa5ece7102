#include "sdx/roster/consent.h"

#include <cstdlib>
#include <ctime>

#include "support/catch.h"

using namespace sdx;

namespace {

std::string refusal_of(const std::string& given, const std::string& until = "") {
  return why_refused({given, until}, "2026-03-31").value_or("none");
}

}  // namespace

TEST_CASE("roster: consent is any text that does not mean no", "[roster]") {
  for (const char* given : {"yes", "2026-01-12 by e-mail", "Y", "true", "1", "01.02.2026", "ja",
                            "Norbert asked", "x", "✓", "(signed)"}) {
    INFO(given);
    CHECK(refusal_of(given) == "none");
  }
}

TEST_CASE("roster: without consent nothing may be made", "[roster]") {
  CHECK(refusal_of("") == "no consent is recorded");
  CHECK(refusal_of("  ") == "no consent is recorded");
  CHECK(refusal_of("No") == "no consent is recorded: the roster says \"No\"");
  for (const char* given :
       {"no", "n", "N", "FALSE", "0", "-", "–", "?", "Refused", "withdrawn", "Withdrawn 2026-05-01",
        "no, by phone", "not yet", "(none)", "n/a", "nein", " - no"}) {
    INFO(given);
    CHECK(refusal_of(given).starts_with("no consent is recorded: the roster says "));
  }
  CHECK(refusal_of("no", "2027-01-01").starts_with("no consent"));
}

TEST_CASE("roster: consent may end, and its last day counts", "[roster]") {
  CHECK(refusal_of("yes", "2026-03-31") == "none");
  CHECK(refusal_of("yes", "2026-04-01") == "none");
  CHECK(refusal_of("yes", "2027-01-01") == "none");
  CHECK(refusal_of("yes", "2026-03-30") == "the consent ended on 2026-03-30");
  CHECK(refusal_of("yes", "2025-12-31") == "the consent ended on 2025-12-31");
}

TEST_CASE("roster: dates are those of the calendar", "[roster]") {
  for (const char* date : {"2026-03-31", "2028-02-29", "2000-02-29", "0001-01-01", "9999-12-31"}) {
    INFO(date);
    CHECK(is_date(date));
  }
  for (const char* text : {"", "2026-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-00-10",
                           "2026-01-00", "31.03.2026", "2026/03/31", "26-03-31", "2026-3-31",
                           "2026-03-31 ", "2026-03-3x", "-026-03-31", "+026-03-31"}) {
    INFO(text);
    CHECK_FALSE(is_date(text));
  }
}

TEST_CASE("roster: today is the local date", "[roster]") {
  const char* const before = std::getenv("TZ");
  const std::string zone = before != nullptr ? before : "";
  const auto today_in = [](const char* place) {
    ::setenv("TZ", place, 1);
    ::tzset();
    return today();
  };
  // 26 hours apart: never the same day.
  const std::string east = today_in("East-14");
  const std::string west = today_in("West+12");
  if (before != nullptr) {
    ::setenv("TZ", zone.c_str(), 1);
  } else {
    ::unsetenv("TZ");
  }
  ::tzset();
  CHECK(is_date(east));
  CHECK(is_date(west));
  CHECK(west < east);
}
