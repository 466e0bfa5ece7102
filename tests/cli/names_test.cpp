// Names of embeddings as people write them: with blanks and brackets, in either form of their
// accents, in other tools' ways; and names that nobody could write.

#include <ATen/ops/full.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "sdx/embedding/embedding_writer.h"
#include "sdx/image/metadata.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

const std::string kComposed = "Jos\u00E9";     // as a keyboard writes it
const std::string kDecomposed = "Jose\u0301";  // as a Mac's file system does

/// An embedding of the tiny model, in a file of its name.
fs::path add_word(const Workplace& place, const std::string& name, double value = 0.1) {
  fs::create_directories(place.path() / "embeddings");
  const fs::path file = place.path() / "embeddings" / (name + ".safetensors");
  sdx::write_embedding(file, {name, at::full({2, 32}, value), {}, {}});
  return file;
}

/// The JSON of each stage of a text, and what was said.
struct Tokenized {
  std::vector<sdx::Json> stages;
  std::string err;
};

Tokenized tokenize(const Workplace& place, const std::string& text,
                   std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {text, "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const RunResult result = place.run("sdx-tokenize", arguments);
  INFO(text << ": " << result.err);
  REQUIRE(result.exit_code == 0);
  Tokenized tokenized;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    tokenized.stages.push_back(sdx::Json::parse(line));
  }
  tokenized.err = result.err;
  return tokenized;
}

/// The names that are spliced into the only stage, each once, and the weight of the first vector.
std::vector<std::string> spliced_names(const Tokenized& tokenized) {
  REQUIRE(tokenized.stages.size() == 1);
  std::vector<std::string> names;
  for (const sdx::Json& chunk : tokenized.stages[0]["chunks"]) {
    for (const sdx::Json& splice : chunk["splices"]) {
      const auto name = splice["name"].get<std::string>();
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

double vector_weight(const Tokenized& tokenized) {
  for (const sdx::Json& token : tokenized.stages.at(0)["chunks"][0]["tokens"]) {
    if (token["id"].is_null()) return token["weight"].get<double>();
  }
  return 0;
}

std::vector<fs::path> images_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("names: blanks, brackets and marks are letters of a name that is there") {
  const Workplace place;
  for (const std::string name :
       {"By bad artist -neg", "EasyNegative (1)", "EasyNegative(2)", "v1.5 [final]",
        "Tom AND Jerry", "a: b", "one|two", "(x:1.3)", "bad.hands.v4", "Ada BREAK"}) {
    INFO(name);
    add_word(place, name);
    const std::string text = "robot, <" + name + "> in the snow";
    const Tokenized tokenized = tokenize(place, text);
    CHECK(spliced_names(tokenized) == Names{name});
    CHECK(vector_weight(tokenized) == 1);
    CHECK(tokenized.stages[0]["text"] == text);
    CHECK(tokenized.err == "");
    CHECK(spliced_names(tokenize(place, text, {"--grammar", "plain"})) == Names{name});
    CHECK(spliced_names(tokenize(place, text, {"--as-negative"})) == Names{name});
    const Tokenized weighted = tokenize(place, "robot, (<" + name + "> snow:1.3), [[hat]]");
    CHECK(spliced_names(weighted) == Names{name});
    CHECK(vector_weight(weighted) == Approx(1.3));
  }
  // As AUTOMATIC1111's users write brackets.
  CHECK(spliced_names(tokenize(place, "<EasyNegative \\(1\\)>, robot")) ==
        Names{"EasyNegative (1)"});
}

TEST_CASE("names: what is between brackets and no name is text as before") {
  const Workplace place;
  add_word(place, "Ada");
  for (const std::string text : {"a < b > c", "I <3 you", "<>", "x <- y -> z", "1 < (2 > 1)"}) {
    INFO(text);
    const Tokenized tokenized = tokenize(place, text);
    CHECK(spliced_names(tokenized).empty());
    CHECK(tokenized.err == "");
  }
}

TEST_CASE("names: a picture of a name with blanks is made again, bit for bit") {
  const Workplace place;
  const fs::path word = add_word(place, "By bad artist -neg");
  add_word(place, "EasyNegative (1)");
  const auto make = [&](std::vector<std::string> arguments, const std::string& out) {
    arguments.insert(arguments.end(), {"--seed", "3", "--steps", "2", "--out", out});
    const RunResult result = place.run("sdx-generate", arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return images_in(place.path() / out).at(0);
  };
  const auto replay = [&](const fs::path& made, const std::string& out) {
    const RunResult result = place.run("sdx-generate", {"--from-image", made, "--out", out});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return sdx::read_file(images_in(place.path() / out).at(0));
  };
  const fs::path given =
      make({"robot", "--negative", "<By bad artist -neg>, (<EasyNegative (1)>:1.2)", "--embeddings",
            word, "--embeddings", "embeddings/EasyNegative (1).safetensors"},
           "given");
  CHECK_THAT(sdx::read_parameters(given).value_or(""),
             ContainsSubstring("Negative prompt: <By bad artist -neg>, (<EasyNegative (1)>:1.2)") &&
                 ContainsSubstring("By bad artist -neg: "));
  CHECK(replay(given, "given-again") == sdx::read_file(given));
  const fs::path without = make({"robot"}, "without");
  CHECK(sdx::read_file(without) != sdx::read_file(given));

  const fs::path bare =
      make({"robot", "--negative", "By bad artist -neg, (EasyNegative (1):1.2)", "--bare-names"},
           "bare");
  CHECK(sdx::read_parameters(bare) == sdx::read_parameters(given));
  CHECK(sdx::read_file(bare) == sdx::read_file(given));
}

TEST_CASE("names: a file is called by a name with blanks, even behind a long prompt") {
  const Workplace place;
  add_word(place, "By bad artist -neg");
  const RunResult result =
      place.run("sdx-generate", {"a robot in the snow at night with a red cap and a box and "
                                 "<By bad artist -neg>",
                                 "--seed", "3", "--steps", "1"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(images_in(place.path() / "pictures").at(0).filename().string(),
             ContainsSubstring("by-bad-artist-neg"));
}

TEST_CASE("names: the two forms of an accent are one name, wherever it is looked up") {
  const Workplace place;
  const fs::path file = add_word(place, kDecomposed);
  CHECK(spliced_names(tokenize(place, "<" + kComposed + "> in the snow")) == Names{kComposed});
  CHECK(spliced_names(tokenize(place, "<" + kDecomposed + ">")) == Names{kDecomposed});
  CHECK(spliced_names(tokenize(place, "<" + kComposed + "> <" + kDecomposed + ">")) ==
        Names{kComposed});

  const auto generate = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--seed", "1", "--steps", "1"});
    const RunResult result = place.run("sdx-generate", arguments);
    INFO(result.err);
    CHECK(result.exit_code == 0);
  };
  generate({"<" + kComposed + ">", "--embeddings", file, "--out", "a"});
  generate({"{name} as a robot", "--names", kComposed, "--out", "b"});
  generate({kComposed + " as a robot", "--bare-names", "--out", "c"});
  CHECK_THAT(sdx::read_parameters(images_in(place.path() / "c").at(0)).value_or(""),
             ContainsSubstring("<" + kComposed + "> as a robot"));

  // Nor does a training make a second file of the same name beside the first.
  const RunResult again = place.train(kComposed);
  INFO(again.err);
  CHECK(again.exit_code == 73);
  CHECK_THAT(again.err, ContainsSubstring("exists already"));
  CHECK(images_in(place.path() / "embeddings") == std::vector<fs::path>{file});
}

TEST_CASE("names: a name that could never be typed is refused when it is made") {
  const Workplace place;
  const auto check = [&](const std::string& name, const std::string& reason) {
    INFO(name);
    const RunResult trained = place.train(name);
    CHECK(trained.exit_code == 64);
    CHECK_THAT(trained.err, ContainsSubstring(reason));
    CHECK_FALSE(fs::exists(place.path() / "runs"));
    std::ofstream(place.path() / "team.csv") << "name,portraits\n\"" + name + "\",faces\n";
    std::ofstream(place.path() / "prompts.txt") << "{name} as a robot\n";
    const RunResult listed =
        place.run("sdx-roster", {"slurm", "team.csv", "--prompts", "prompts.txt", "--out", "team"});
    CHECK(listed.exit_code == 65);
    CHECK_THAT(listed.out + listed.err, ContainsSubstring("line 2") && ContainsSubstring(reason));
  };
  check("AND", "the word AND");
  check("Tom-AND-Jerry", "the word AND");
  check("BREAK", "the word BREAK");
  check("(Ada)", "a '('");
  check("Ada]", "a ']'");
  check("{Ada}", "a '{'");
  check("lora:Ada:1", "a ':'");
  check("Ada:2", "a ':'");
  check("Ada|Ben", "a '|'");
  check("A__x__B", "'__…__'");
  check(
      "\u200B"
      "Ben",
      "an invisible character (U+200B)");
  check("Ben\uFEFF", "an invisible character (U+FEFF)");
  check("B\u00ADen", "an invisible character (U+00AD)");
  check("Ben\u3164", "an invisible character (U+3164)");
  check("Ben\a", "a control character (U+0007)");
  check("\uFF1CBen\uFF1E", "a '\uFF1C'");
  check("\u0301Ben", "an accent (U+0301)");
  check("*", "is '*'");

  add_word(place, "Ada");
  const RunResult converted = place.run(
      "sdx-model",
      {"embedding", "convert", "embeddings/Ada.safetensors", "--to", "a1111", "--name", "Ada (2)"});
  CHECK(converted.exit_code == 64);
  CHECK_THAT(converted.err, ContainsSubstring("a blank"));
  for (const char* name : {"BREAK", "(Ada)", "Ada\u200B", " Ada"}) {
    INFO(name);
    CHECK(place
              .run("sdx-model", {"embedding", "convert", "embeddings/Ada.safetensors", "--to",
                                 "a1111", "--name", name})
              .exit_code == 64);
  }
}

TEST_CASE("names: a name in another tool's way gets a remark, and reads as before") {
  const Workplace place;
  add_word(place, "Ada");
  add_word(place, "By bad artist -neg");
  for (const std::string written :
       {"embedding:Ada", "Embedding: Ada", "embedding:Ada.safetensors", "embedding:people/Ada.pt",
        "< Ada >", "<Ada >", "< Ada>", "\uFF1CAda\uFF1E", "\u2039Ada\u203A", "\u3008Ada\u3009",
        "\u27E8Ada\u27E9", "\uFF1C Ada >", "&lt;Ada&gt;", "\u00ABAda\u00BB"}) {
    INFO(written);
    const Tokenized tokenized = tokenize(place, "a photo of " + written + " in the snow");
    CHECK_THAT(tokenized.err,
               ContainsSubstring("\"" + written + "\" reads as plain text; did you mean <Ada>?"));
    CHECK(spliced_names(tokenized).empty());
  }
  CHECK_THAT(tokenize(place, "(embedding:Ada:1.2), robot").err,
             ContainsSubstring("\"embedding:Ada\" reads as plain text; did you mean <Ada>?"));
  CHECK_THAT(tokenize(place, "embedding:By bad artist -neg, robot").err,
             ContainsSubstring("did you mean <By bad artist -neg>?"));
  CHECK_THAT(tokenize(place, "<by bad artist -neg>").err,
             ContainsSubstring("did you mean <By bad artist -neg>?"));
  CHECK_THAT(tokenize(place, "<By good artist>, robot").err,
             ContainsSubstring("\"<By good artist>\" reads as plain text: no embedding"));
  CHECK_THAT(tokenize(place, "embedding:Eve, robot").err,
             ContainsSubstring("\"embedding:Eve\" reads as plain text: no embedding"));
  CHECK(tokenize(place, "embedding of Ada, <Ada>, \u00ABEve\u00BB").err == "");

  const RunResult made =
      place.run("sdx-generate", {"\uFF1CAda\uFF1E, robot", "--negative", "(embedding:Ada:1.2)",
                                 "--steps", "1", "--seed", "1"});
  CHECK(made.exit_code == 0);
  CHECK_THAT(made.err, ContainsSubstring("\"\uFF1CAda\uFF1E\" reads as plain text") &&
                           ContainsSubstring("\"embedding:Ada\" reads as plain text"));
  const RunResult unknown = place.run("sdx-tokenize", {"<embedding:Ada>"});
  CHECK(unknown.exit_code == 64);
  CHECK_THAT(unknown.err, ContainsSubstring("did you mean <Ada>?"));
}

TEST_CASE("names: special tokens that are spelt in a text are text") {
  const Workplace place;
  const fs::path clip = fs::path(SDX_SHARE_DIR) / "tokenizers/clip";
  for (const char* grammar : {"a1111", "plain"}) {
    for (const char* token : {"<s>", "</s>", "<unk>", "<pad>", "<|endoftext|>", "<|EndOfText|>"}) {
      INFO(grammar << " " << token);
      const Tokenized tokenized =
          tokenize(place, std::string("robot ") + token + " snow", {"--grammar", grammar});
      CHECK(spliced_names(tokenized).empty());
      CHECK(tokenized.stages[0]["token_count"] > 2);
    }
  }
  add_word(place, "s");
  CHECK(spliced_names(tokenize(place, "<s> and </s>")) == Names{"s"});
  CHECK(place.run("sdx-tokenize", {"<|endoftex|>"}).exit_code == 64);
}
