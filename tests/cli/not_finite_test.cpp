// Numbers beyond what makes a picture: shown, remarked on, and never drawn black.

#include <ATen/ops/full.h>

#include <filesystem>
#include <fstream>

#include "sdx/embedding/embedding_writer.h"
#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

void add_word(const Workplace& place, const std::string& name, double value) {
  fs::create_directories(place.path() / "embeddings");
  sdx::write_embedding(place.path() / "embeddings" / (name + ".safetensors"),
                       {name, at::full({1, 32}, value), {}, {}});
}

std::size_t count_images(const fs::path& folder) {
  if (!fs::exists(folder)) return 0;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("not finite: a picture is refused with what to lower, and not written") {
  const Workplace place;
  add_word(place, "Huge", 1e38);
  const auto check = [&](std::vector<std::string> arguments,
                         const std::vector<std::string>& words) {
    INFO(arguments.front());
    arguments.insert(arguments.end(), {"--steps", "2", "--seed", "1"});
    const RunResult result = place.run("sdx-generate", arguments);
    INFO(result.err);
    CHECK(result.exit_code == 65);
    for (const std::string& word : words) CHECK_THAT(result.err, ContainsSubstring(word));
    CHECK(count_images(place.path() / "pictures") == 0);
  };
  check({"robot", "--cfg", "1e30"},
        {"\"robot\", seed 1", "not finite", "lower --cfg, which is 1e+30"});
  check({"robot", "--cfg", "1e30", "--hires", "1.5"}, {"not finite", "lower --cfg"});
  check({"robot", "--cfg", "1e30", "--init-image", "faces/0.png", "--strength", "0.6"},
        {"not finite", "lower --cfg"});
  check({"robot", "--cfg", "1e30", "--dtype", "bf16"}, {"again in fp32", "lower --cfg"});
  check({"(robot:99999999999999999999999999999999999999999)"},
        {"lower the weight 1e+41 of \"robot\""});
  check({"robot :1000000000000000000000000000000"}, {"weight 1e+30 of the part \"robot\""});
  check({"<Huge> in the snow"}, {"another embedding than <Huge>, whose vectors reach 1e+38"});
  check({"robot", "--negative", "<Huge>"}, {"another embedding than <Huge>"});
}

TEST_CASE("not finite: what comes before such a picture is kept") {
  const Workplace place;
  std::ofstream(place.path() / "prompts.txt") << "robot\n--prompt snow --cfg 1e30\n";
  const RunResult result = place.run(
      "sdx-generate", {"--prompts", "prompts.txt", "--steps", "1", "--seed", "1", "--batch", "1"});
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("\"snow\""));
  CHECK(count_images(place.path() / "pictures") == 1);
}

TEST_CASE("not finite: numbers that are no numbers any more are refused in words") {
  const Workplace place;
  const std::string nines(400, '9');
  for (const std::string& text :
       {"(robot:" + nines + ")", "photo at 10:" + nines, "[a:b:" + nines + "]",
        std::string("[a:b:1e400]"), "a AND b :" + nines, "(robot:-" + nines + ".5)"}) {
    INFO(text.substr(0, 20));
    for (const char* tool : {"sdx-tokenize", "sdx-generate"}) {
      const RunResult result = place.run(tool, {text});
      CHECK(result.exit_code == 64);
      CHECK_THAT(result.err, ContainsSubstring("too large") && !ContainsSubstring("report"));
    }
  }
  const RunResult choice = place.run("sdx-generate", {"{" + nines + "::red|blue} hat"});
  CHECK(choice.exit_code == 64);
  CHECK_THAT(choice.err, ContainsSubstring("too large"));
  CHECK(place.run("sdx-tokenize", {"robot " + nines}).exit_code == 0);
  CHECK_FALSE(fs::exists(place.path() / "pictures"));
}

TEST_CASE("weights: the weight of a part is shown, and a large one is remarked on") {
  const Workplace place;
  const auto tokenize = [&](const std::string& text) {
    const RunResult result = place.run("sdx-tokenize", {text});
    CHECK(result.exit_code == 0);
    return result;
  };
  CHECK_THAT(tokenize("photo at 10:30").out,
             ContainsSubstring("part 1, weight 30, steps 1 to 20: photo at 10\n"));
  CHECK_THAT(tokenize("robot AND snow :0.6").out,
             ContainsSubstring("part 1, weight 1, steps 1 to 20: robot") &&
                 ContainsSubstring("part 2, weight 0.6, steps 1 to 20: "));
  CHECK(tokenize("robot").out.starts_with("robot\n"));
  for (const char* usual : {"(robot:1.5) AND snow :2", "((robot)), [hat]", "(robot:0), <3:1"}) {
    INFO(usual);
    CHECK(tokenize(usual).err == "");
  }
  const std::string part = "\"photo at 10\" is guided 30 times as strongly: ";
  const std::string word = "\"robot\" is weighted 12 times as strongly: ";
  CHECK_THAT(tokenize("photo at 10:30").err, ContainsSubstring(part));
  CHECK_THAT(tokenize("(robot:12)").err, ContainsSubstring(word));
  CHECK_THAT(tokenize("((robot:4):3)").err, ContainsSubstring(word));
  CHECK_THAT(tokenize("robot AND snow :-8").err, ContainsSubstring("guided -8 times as strongly"));

  const RunResult made = place.run("sdx-generate", {"photo at 10:30", "--negative", "(robot:12)",
                                                    "--steps", "1", "--seed", "1"});
  INFO(made.err);
  CHECK(made.exit_code == 0);
  CHECK_THAT(made.err, ContainsSubstring(part) && ContainsSubstring(word));
  // What is behind the number decides, as the remark says.
  CHECK(tokenize("photo at 10:30,").err == "");
  CHECK_THAT(tokenize("photo at 10:30,").out, ContainsSubstring("photo at 10:30,"));
}
