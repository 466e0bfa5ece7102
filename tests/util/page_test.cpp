#include "sdx/util/page.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::make_page;
using sdx::test::catch_message;
using sdx::test::contains;
using sdx::test::TempFolder;

TEST_CASE("util: a page holds its parts, and a policy that allows them alone", "[util]") {
  const TempFolder parts;
  parts.file("style.css", "b{}");
  parts.file("script.js", "");
  parts.file("index.html", "{{style_hash}} {{script_hash}} {{style}}|{{a}}|{{b}} }} {{");
  // The hashes by another program: printf 'b{}' | openssl dgst -sha256 -binary | base64
  CHECK(make_page(parts.path(), {{"a", "{{b}}"}, {"b", "{{script}}"}}) ==
        "'sha256-7yqHVAesot11p6HczDsgKRipvI5UPgs97z80zNXlans=' "
        "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' b{}|{{b}}|{{script}} }} {{");
  CHECK(contains(catch_message<sdx::DataError>([&] {
                   make_page(parts.path(), {{"a", ""}});
                 }),
                 "index.html: unknown placeholder {{b}}"));
  const TempFolder nothing;
  CHECK(contains(catch_message<sdx::MissingInputError>([&] { make_page(nothing.path(), {}); }),
                 "style.css"));
}

TEST_CASE("util: data in a page ends no script and keeps every text", "[util]") {
  const std::string odd = "</script><!-- \"'&\\ \u2028 Zo\u00eb \U0001f984\n";
  const std::string json = sdx::to_script_json({{"text", odd}, {"bad", "a\xff"}});
  CHECK(json.find('<') == std::string::npos);
  for (const char c : json) CHECK((c >= ' ' && c <= '~'));
  const sdx::Json read = sdx::Json::parse(json);
  CHECK(read["text"] == odd);
  CHECK(read["bad"] == "a\uFFFD");
}
