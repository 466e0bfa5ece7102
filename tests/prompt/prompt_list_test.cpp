#include "sdx/prompt/prompt_list.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

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

TEST_CASE("prompt: a line without {name} is named where one is needed", "[prompt]") {
  const sdx::test::TempFolder folder;
  CHECK(sdx::read_named_prompts(folder.file("good.txt", "{name}\n\na {name}\n")) ==
        Lines{"{name}", "a {name}"});
  const auto file = folder.file("previews.txt", "{name}\n\na robot\n");
  const std::string message =
      sdx::test::catch_message<sdx::DataError>([&] { sdx::read_named_prompts(file); });
  CHECK(message ==
        file.string() +
            ":3: \"a robot\" has no {name}; write {name} where the person is to stand, or remove "
            "the line");
}

TEST_CASE("prompt: {name} becomes any text, wherever it stands", "[prompt]") {
  CHECK(sdx::fill_name("{name} and {name}", "a person") == "a person and a person");
  CHECK(sdx::fill_name("{name}{name}", "{name}!") == "{name}!{name}!");
  CHECK(sdx::fill_name("snow", "a person") == "snow");
}
