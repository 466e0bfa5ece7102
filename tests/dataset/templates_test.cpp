#include "sdx/dataset/templates.h"

#include <algorithm>

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx::test;

TEST_CASE("dataset: each kind has its templates, with a place for the name", "[dataset]") {
  ::setenv("SDX_DATA", SDX_SHARE_DIR, 1);
  const auto person = sdx::load_templates(sdx::SubjectKind::kPerson);
  const auto object = sdx::load_templates(sdx::SubjectKind::kObject);
  const auto style = sdx::load_templates(sdx::SubjectKind::kStyle);
  ::unsetenv("SDX_DATA");
  const auto has = [](const std::vector<std::string>& templates, const char* line) {
    return std::find(templates.begin(), templates.end(), line) != templates.end();
  };
  CHECK(has(person, "a rendering of {name}"));
  CHECK(object.size() == 27);
  CHECK(has(object, "a photo of my {name}"));
  CHECK(style.size() == 19);
  CHECK(has(style, "a painting in the style of {name}"));
}

TEST_CASE("dataset: templates of one's own", "[dataset]") {
  const TempFolder folder;
  const auto own = sdx::load_templates(
      folder.file("own.txt", "\xEF\xBB\xBF{name} at sea\r\n\n  {name} and {name} \n"));
  CHECK(own == std::vector<std::string>{"{name} at sea", "{name} and {name}"});
  const auto message = catch_message<sdx::DataError>(
      [&] { sdx::load_templates(folder.file("bad.txt", "{name}\n\na photo\n")); });
  CHECK(contains(message, "bad.txt:3: "));
  CHECK(contains(message, "\"a photo\""));
  CHECK_THROWS_AS(sdx::load_templates(folder.file("empty.txt", "\n")), sdx::DataError);
  CHECK_THROWS_AS(sdx::load_templates(folder.path() / "absent.txt"), sdx::MissingInputError);
}

TEST_CASE("dataset: the texts of the kinds of subjects", "[dataset]") {
  CHECK(sdx::find_enum<sdx::SubjectKind>("style") == sdx::SubjectKind::kStyle);
  CHECK(sdx::to_string(sdx::SubjectKind::kObject) == "object");
  CHECK_FALSE(sdx::find_enum<sdx::SubjectKind>("animal"));
}
