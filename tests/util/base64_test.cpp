#include "sdx/util/base64.h"

#include <utility>

#include "sdx/util/error.h"

#include "support/catch.h"

using namespace std::string_view_literals;

TEST_CASE("util: base64 is that of RFC 4648", "[util]") {
  // Section 10 of it.
  for (const auto& [bytes, text] : {std::pair{""sv, ""sv},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"},
                                    {"\0\xFF\xFE"sv, "AP/+"}}) {
    INFO(text);
    CHECK(sdx::to_base64(bytes) == text);
    CHECK(sdx::from_base64(text) == bytes);
  }
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(sdx::from_base64(sdx::to_base64(all)) == all);
}

TEST_CASE("util: base64 is read without its padding too", "[util]") {
  CHECK(sdx::from_base64("Zg") == "f");
  CHECK(sdx::from_base64("Zm8") == "fo");
  CHECK(sdx::from_base64("Zm9v=anything") == "foo");
}

TEST_CASE("util: what is not base64 is refused", "[util]") {
  for (const char* text : {"Zm9v!", "Zm 9v", "Zm9\xC3", "Z", "Zm9vY", "Zm\n9v", "Zg-_"}) {
    INFO(text);
    CHECK_THROWS_AS(sdx::from_base64(text), sdx::DataError);
  }
}
