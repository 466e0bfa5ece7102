#include "sdx/roster/consent.h"

#include <cstdlib>
#include <ctime>

#include "support/catch.h"

using namespace sdx;

namespace {

std::string catch_refusal(const std::string& given, const std::string& until = "") {
  const auto refusal = why_refused({given, until}, "2026-03-31");
  return refusal ? refusal->text : "none";
}

ExitCode catch_code(const std::string& given) {
  const auto refusal = why_refused({given, ""}, "2026-03-31");
  return refusal ? refusal->code : ExitCode::kOk;
}

}  // namespace

TEST_CASE("roster: consent is a clear yes or a date, in the languages of office programs") {
  for (const char* given : {"yes",
                            "2026-01-12 by e-mail",
                            "Y",
                            "true",
                            "TRUE",
                            "1",
                            "01.02.2026",
                            "12/1/26",
                            "ja",
                            "WAHR",
                            "VRAI",
                            "Oui",
                            "SÍ",
                            "Si",
                            "VERDADERO",
                            "Vero",
                            "Sim",
                            "WAAR",
                            "SANN",
                            "Tak",
                            "PRAWDA",
                            "ДА",
                            "ИСТИНА",
                            "Igen",
                            "DOĞRU",
                            "ΝΑΙ",
                            "是",
                            "はい",
                            "예",
                            "x",
                            "X",
                            "✓",
                            "☑",
                            "yes, by e-mail",
                            "Ja (unterschrieben)",
                            "(yes)",
                            "✓ by phone",
                            "yes, by e-mail on 3 May 2026",
                            "ja, per Mail vom 3.5.",
                            "yes (signed form)",
                            "oui, par courriel",
                            "2026-01-12, contract",
                            "=TRUE()"}) {
    INFO(given);
    CHECK(catch_refusal(given) == "none");
  }
}

TEST_CASE("roster: what is not a clear yes is asked about") {
  for (const char* given : {"Norbert asked",
                            "(signed)",
                            "Widerrufen am 3.5.",
                            "I do not agree",
                            "✗",
                            "asked",
                            "later",
                            "yes, but not for pictures of the whole team",
                            "oui mais pas encore",
                            "ja, aber nicht jetzt",
                            "da nicht",
                            "2026-01-12 refused",
                            "12.1.2026 widerrufen",
                            "2026-03-01 abgelehnt",
                            "yes?",
                            "ok, unless published",
                            "ja, wenn ich die Bilder sehe",
                            "oui, sous réserve",
                            "x (zurückgezogen)",
                            "yes - revoked in May",
                            "✓ annulé",
                            "☐",
                            "yes and no",
                            "yes until summer",
                            "perhaps",
                            "12",
                            "20260112",
                            "31.3.2026x5",
                            "yesterday",
                            "janvier",
                            "unknown",
                            "pending",
                            "tbd",
                            "todo",
                            "2"}) {
    INFO(given);
    CHECK(catch_code(given) == ExitCode::kData);
    CHECK(catch_refusal(given) ==
          "the consent \"" + std::string(given) +
              "\" is no clear yes, so it counts as none; write yes, or the date "
              "on which it was given (2026-03-31)");
  }
}

TEST_CASE("roster: without consent nothing may be made", "[roster]") {
  CHECK(catch_refusal("") == "no consent is recorded");
  CHECK(catch_refusal("  ") == "no consent is recorded");
  CHECK(catch_refusal("No") == "no consent is recorded: the roster says \"No\"");
  for (const char* given : {"no",
                            "n",
                            "N",
                            "FALSE",
                            "0",
                            "-",
                            "–",
                            "?",
                            "Refused",
                            "withdrawn",
                            "Withdrawn 2026-05-01",
                            "no, by phone",
                            "not yet",
                            "(none)",
                            "n/a",
                            "nein",
                            " - no",
                            "FALSCH",
                            "НЕТ",
                            "FAUX",
                            "Non",
                            "pas encore",
                            "Nej",
                            "ei"}) {
    INFO(given);
    CHECK(catch_code(given) == ExitCode::kConfig);
    CHECK(catch_refusal(given).starts_with("no consent is recorded: the roster says "));
  }
  CHECK(catch_refusal("no", "2027-01-01").starts_with("no consent"));
}

TEST_CASE("roster: a consent of any length is read, and cut where it is shown", "[roster]") {
  CHECK(catch_code("2026-01-12" + std::string(500'000, ' ')) == ExitCode::kOk);
  const std::string said = catch_refusal("2026-01-12 " + std::string(500'000, 'a'));
  CHECK_THAT(said, Catch::Matchers::ContainsSubstring("aaa…\" is no clear yes"));
  CHECK(said.size() < 300);
}

TEST_CASE("roster: consent may end, and its last day counts", "[roster]") {
  CHECK(catch_refusal("yes", "2026-03-31") == "none");
  CHECK(catch_refusal("yes", "2026-04-01") == "none");
  CHECK(catch_refusal("yes", "2027-01-01") == "none");
  CHECK(catch_refusal("yes", "2026-03-30") == "the consent ended on 2026-03-30");
  CHECK(catch_refusal("yes", "2025-12-31") == "the consent ended on 2025-12-31");
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
