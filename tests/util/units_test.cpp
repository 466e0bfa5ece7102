#include "sdx/util/units.h"

#include "support/catch.h"

TEST_CASE("util: numbers for people", "[util]") {
  CHECK(sdx::short_number(0.00012345) == "0.000123");
  CHECK(sdx::short_number(2, 9) == "2");
  CHECK(sdx::fixed_number(2, 2) == "2.00");
  CHECK(sdx::fixed_number(-0.987, 1) == "-1.0");
}

TEST_CASE("util: exact numbers read back as the same", "[util]") {
  CHECK(sdx::exact_number(7) == "7");
  CHECK(sdx::exact_number(7.5) == "7.5");
  CHECK(sdx::exact_number(0.1) == "0.1");
  CHECK(sdx::exact_number(1.0 / 3) == "0.3333333333333333");
  CHECK(sdx::exact_number(1e-7) == "1e-07");
}

TEST_CASE("util: durations", "[util]") {
  CHECK(sdx::duration_text(0.123) == "0.12 s");
  CHECK(sdx::duration_text(12.34) == "12.3 s");
  CHECK(sdx::duration_text(59.4) == "59.4 s");
  CHECK(sdx::duration_text(59.6) == "1 min 0 s");
  CHECK(sdx::duration_text(192) == "3 min 12 s");
  CHECK(sdx::duration_text(7500) == "2 h 5 min");
}

TEST_CASE("util: sizes and counts have units of a thousand", "[util]") {
  CHECK(sdx::bytes_text(0) == "0 B");
  CHECK(sdx::bytes_text(999) == "999 B");
  CHECK(sdx::bytes_text(1234) == "1.2 kB");
  CHECK(sdx::bytes_text(3'440'000'000) == "3.4 GB");
  CHECK(sdx::bytes_text(5'000'000'000'000) == "5000.0 GB");
  CHECK(sdx::count_text(512) == "512");
  CHECK(sdx::count_text(859'520'964) == "859.5 M");
}
