#include "sdx/prompt/prompt_list.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Lines = std::vector<std::string>;

TEST_CASE("prompt: a file has a prompt on each line", "[prompt]") {
  const sdx::test::TempFolder folder;
  const auto file = folder.file("p.txt",
                                "\xEF\xBB\xBF"
                                "one\r\n\r\n  two · \n");
  CHECK(sdx::read_prompt_file(file) == Lines{"one", "two ·"});
  CHECK(sdx::read_prompt_lines(file).back().number == 3);
  CHECK_THROWS_AS(sdx::read_prompt_file(folder.file("empty.txt", "\n\n")), sdx::DataError);
  CHECK_THROWS_AS(sdx::read_prompt_file(folder.path() / "absent"), sdx::MissingInputError);
}

TEST_CASE("prompt: {name} gives a prompt for each name", "[prompt]") {
  CHECK(sdx::fill_names({"{name} and {name}", "snow"}, {"A", "B"}) ==
        Lines{"<A> and <A>", "<B> and <B>", "snow"});
  CHECK_THROWS_AS(sdx::fill_names({"{name}"}, {}), sdx::UsageError);
}
