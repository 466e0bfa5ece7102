// Texts in other encodings than UTF-8: read where they say what they are, else refused by name.

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "sdx/image/metadata.h"
#include "support/team_place.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::TeamPlace;
using sdx::test::Workplace;

namespace {

void write(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

/// Of characters below U+10000.
std::string utf16(const std::u16string& text, bool is_big_endian, bool has_mark = true) {
  std::string bytes;
  const auto add = [&](char16_t unit) {
    const char high = static_cast<char>(unit >> 8U);
    const char low = static_cast<char>(unit & 0xFFU);
    bytes += is_big_endian ? high : low;
    bytes += is_big_endian ? low : high;
  };
  if (has_mark) add(0xFEFF);
  for (const char16_t unit : text) add(unit);
  return bytes;
}

/// The prompts in the pictures of a folder, in their order.
std::vector<std::string> prompts_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> prompts;
  for (const fs::path& file : files) {
    const std::string text = sdx::read_parameters(file).value_or("");
    prompts.push_back(text.substr(0, text.find('\n')));
  }
  return prompts;
}

/// The encodings that are refused: a second line in them, and what is said.
struct Foreign {
  std::string bytes;
  std::string name;
};

std::vector<Foreign> foreign_texts() {
  return {{"robot\nf\xFCr Zo\xEB\n", "line 2: not UTF-8 but Latin-1"},
          {"robot\n\x93robot\x94 \x96 snow\n", "line 2: not UTF-8 but Windows-1252"},
          {"robot\n\x82\xA0\x82\xA2\x83\x8D\x83{\n", "line 2: not UTF-8 but Shift-JIS"},
          {"robot\n\xC4\xE3\xBA\xC3\n", "line 2: not UTF-8 but GBK"},
          {utf16(u"robot\nsnow\n", false, false), "not UTF-8 but UTF-16 (LE) without its mark"},
          {utf16(u"robot\nsnow\n", true, false), "not UTF-8 but UTF-16 (BE) without its mark"},
          {std::string("robot\n\x01\x00\x02\x03\x00\x00\x00\x00", 14), "binary data"},
          {"PK\x03\x04\x14\xFF", "a zip archive"},
          {std::string("\xFF\xFE\0\0r\0\0\0", 8), "UTF-32"},
          {"\xFF\xFEr", "ends within a character"}};
}

}  // namespace

TEST_CASE("texts: prompts, wildcards and styles are read in UTF-16 and with any mark") {
  const Workplace place;
  const std::u16string lines = u"robot f\u00FCr Zo\u00EB\r\n\r\nsnow \u674E\r\n";
  int number = 0;
  for (const std::string& bytes :
       {utf16(lines, false), utf16(lines, true),
        std::string("\xEF\xBB\xBFrobot f\u00FCr Zo\u00EB\r\n\r\nsnow \u674E\r\n")}) {
    const std::string out = "p" + std::to_string(++number);
    write(place.path() / "prompts.txt", bytes);
    const RunResult result = place.run(
        "sdx-generate", {"--prompts", "prompts.txt", "--steps", "1", "--seed", "1", "--out", out});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(prompts_in(place.path() / out) ==
          std::vector<std::string>{"robot f\u00FCr Zo\u00EB", "snow \u674E"});
  }
  write(place.path() / "lists/colours.txt", utf16(u"gr\u00FCn\r\n", false));
  write(place.path() / "styles.csv",
        utf16(u"name,prompt,negative_prompt\r\nwinter,\"sch\u00F6n, {prompt}\",\r\n", true));
  const RunResult made =
      place.run("sdx-generate", {"__colours__ robot", "--wildcards", "lists", "--style", "winter",
                                 "--steps", "1", "--seed", "1", "--out", "w"});
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  CHECK(prompts_in(place.path() / "w") == std::vector<std::string>{"sch\u00F6n, gr\u00FCn robot"});
}

TEST_CASE("texts: rosters, settings and sentences are read in UTF-16") {
  const TeamPlace place;
  write(place.path() / "team.csv", utf16(u"name,portraits\r\nZo\u00EB,ada\r\n", false));
  write(place.path() / "prompts.txt", utf16(u"{name} in the snow\r\n", true));
  write(place.path() / "training.json", utf16(u"{\"steps\": 1, \"batch\": 1}", false));
  const RunResult checked =
      place.run("sdx-roster", {"slurm", "team.csv", "--prompts", "prompts.txt", "--training",
                               "training.json", "--out", "team"});
  INFO(checked.out << checked.err);
  CHECK(checked.exit_code == 0);
  write(place.path() / "sentences.txt", utf16(u"a photo of {name} \u674E\r\n", false));
  write(place.path() / "config.json", utf16(u"{\"steps\": 2, \"batch\": 1}", true));
  const RunResult trained =
      place.run("sdx-train", {"ada", "--name", "Ada", "--config", "config.json", "--templates",
                              "sentences.txt", "--milestone-steps", "0"});
  INFO(trained.err);
  CHECK(trained.exit_code == 0);
  CHECK_THAT(trained.err, ContainsSubstring("2 steps"));
}

TEST_CASE("texts: other encodings are refused by name, file and line, and nothing is drawn") {
  const Workplace place;
  for (const auto& [bytes, name] : foreign_texts()) {
    INFO(name);
    write(place.path() / "prompts.txt", bytes);
    write(place.path() / "lists/words.txt", bytes);
    const auto check = [&](const std::string& file, std::vector<std::string> arguments) {
      arguments.insert(arguments.end(), {"--steps", "1"});
      const RunResult result = place.run("sdx-generate", arguments);
      CHECK(result.exit_code == 65);
      CHECK_THAT(result.err, ContainsSubstring(file) && ContainsSubstring(name));
    };
    check("prompts.txt", {"--prompts", "prompts.txt"});
    check("words.txt", {"__words__", "--wildcards", "lists"});
  }
  CHECK_FALSE(fs::exists(place.path() / "pictures"));
  // A list that nobody asks for hinders nobody.
  write(place.path() / "lists/colours.txt", "green\n");
  CHECK(place.run("sdx-generate", {"__colours__ robot", "--wildcards", "lists", "--steps", "1"})
            .exit_code == 0);
  write(place.path() / "config.json", "{\"prompt\": \"f\xFCr\"}");
  const RunResult configured =
      place.run("sdx-generate", {"robot", "--config", "config.json", "--steps", "1"});
  CHECK(configured.exit_code == 65);
  CHECK_THAT(configured.err, ContainsSubstring("config.json, line 1: not UTF-8 but Latin-1"));
  write(place.path() / "sentences.txt", "a photo of {name}, sch\xF6n\n");
  const RunResult trained = place.train("Ada", {"--templates", "sentences.txt"});
  CHECK(trained.exit_code == 65);
  CHECK_THAT(trained.err, ContainsSubstring("sentences.txt, line 1: not UTF-8 but Latin-1"));
}

TEST_CASE("texts: a roster's row in another encoding is named, the others stay") {
  const TeamPlace place;
  write(place.path() / "team.csv", "name,portraits\nZo\xEB,ada\nBen,ben\n");
  const RunResult checked =
      place.run("sdx-roster", {"slurm", "team.csv", "--prompts", "prompts.txt", "--out", "team"});
  CHECK(checked.exit_code == 65);
  CHECK_THAT(checked.out + checked.err,
             ContainsSubstring("line 2") && ContainsSubstring("not UTF-8 but Latin-1"));
}

TEST_CASE("texts: a prompt that is typed in another encoding is refused") {
  const Workplace place;
  for (const char* tool : {"sdx-generate", "sdx-tokenize"}) {
    INFO(tool);
    const RunResult result = place.run(tool, {"f\xFCr Zo\xEB"});
    CHECK(result.exit_code == 64);
    CHECK_THAT(result.err, ContainsSubstring("not UTF-8 but Latin-1"));
  }
  const fs::path images = place.path() / "pictures";
  CHECK((!fs::exists(images) || fs::is_empty(images)));
}

TEST_CASE("texts: sdx-tokenize answers line by line") {
  const Workplace place;
  const auto shell = [&](const std::string& script) {
    const fs::path file = place.path() / "script.sh";
    write(file, "set -o pipefail\ncd '" + place.path().string() + "'\nPATH='" + SDX_BIN_DIR +
                    "':$PATH SDX_MODEL='" + Workplace::model() + "'\nexport SDX_MODEL\n" + script);
    return ::system(("timeout 120 bash '" + file.string() + "'").c_str());
  };
  CHECK(shell("yes robot | sdx-tokenize 2>err | head -n 4 >out\n"
              "echo \"${PIPESTATUS[*]}\" >codes") == 0);
  CHECK(sdx::test::read_bytes(place.path() / "codes") == "141 141 0\n");
  CHECK(sdx::test::read_bytes(place.path() / "err") == "");
  CHECK_THAT(sdx::test::read_bytes(place.path() / "out"), ContainsSubstring("robot\n  chunk 1"));
  // An answer comes before the next question.
  CHECK(shell("mkfifo questions answers\n"
              "sdx-tokenize <questions >answers & exec 3>questions 4<answers\n"
              "echo robot >&3; read -r first <&4; echo \"$first\" >first; exec 3>&- 4<&-") == 0);
  CHECK(sdx::test::read_bytes(place.path() / "first") == "robot\n");
  // A line without end is not read to its end.
  CHECK(shell("yes robot | tr '\\n' ' ' | sdx-tokenize 2>err; echo \"${PIPESTATUS[2]}\" >codes") ==
        0);
  CHECK(sdx::test::read_bytes(place.path() / "codes") == "65\n");
  CHECK_THAT(sdx::test::read_bytes(place.path() / "err"),
             ContainsSubstring("stdin, line 1: longer than 1048576 bytes"));
  CHECK(shell("printf 'robot\\nf\\374r\\n' | sdx-tokenize >out 2>err") != 0);
  CHECK_THAT(sdx::test::read_bytes(place.path() / "out"), ContainsSubstring("robot"));
  CHECK_THAT(sdx::test::read_bytes(place.path() / "err"),
             ContainsSubstring("stdin, line 2: not UTF-8 but Latin-1"));
}
