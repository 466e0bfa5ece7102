// sdx-model embedding as a person uses it: embedding files of every tool, and what is none.

#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>

#include <sstream>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/embedding_tool.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::check_refused_in_a_line;
using sdx::test::embedding;
using sdx::test::RunResult;
using sdx::test::TempFolder;

namespace {

fs::path made(const std::string& name) { return fs::path(SDX_TEST_DATA) / "embeddings" / name; }

}  // namespace

TEST_CASE("cli: sdx-model embedding show says what a file is") {
  const TempFolder folder;
  const RunResult shown = embedding(folder, {"show", made("a1111.pt")});
  INFO(shown.err);
  CHECK(shown.exit_code == 0);
  for (const char* words : {"AUTOMATIC1111 .pt", "<a1111>", "2 x 4, F32", "a model of width 4",
                            "\"step\" = \"1500\"", "= \"v1-5-pruned-emaonly\""}) {
    CHECK_THAT(shown.out, ContainsSubstring(words));
  }
  CHECK_THAT(embedding(folder, {"show", made("onetrainer_out.safetensors")}).out,
             ContainsSubstring("\"emp_params_out\" is not used"));
  CHECK_THAT(
      embedding(folder, {"show", made("sdxl.safetensors")}).out,
      ContainsSubstring("<sdxl>, clip_g") && ContainsSubstring("the second text encoder of SDXL"));
  fs::copy(made("a1111.pt"), folder.path() / "two words.pt");
  CHECK_THAT(embedding(folder, {"show", "two words.pt"}).out, ContainsSubstring("<two words>"));
}

TEST_CASE("cli: sdx-model embedding show --json gives an object for each file") {
  const TempFolder folder;
  const RunResult shown = embedding(
      folder,
      {"show", "--json", made("half.bin"), made("xti.safetensors"), made("two_words.safetensors")});
  CHECK(shown.exit_code == 65);
  CHECK_THAT(shown.err, ContainsSubstring("1 of 3 files"));
  std::istringstream stream(shown.out);
  std::vector<sdx::Json> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(sdx::Json::parse(line));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["format"] == "diffusers .bin");
  CHECK(lines[0]["usable"] == true);
  CHECK(lines[0]["words"][0]["name"] == "birb-style");
  CHECK(lines[0]["words"][0]["vectors"] == 2);
  CHECK(lines[0]["words"][0]["width"] == 4);
  CHECK(lines[0]["words"][0]["dtype"] == "F16");
  CHECK(lines[0]["words"][0]["norms"].size() == 2);
  CHECK_THAT(lines[1]["problem"].get<std::string>(), ContainsSubstring("kohya's XTI"));
  CHECK(lines[2]["words"].size() == 2);
}

TEST_CASE("cli: an embedding goes through every form and stays what it was") {
  const TempFolder folder;
  const auto convert = [&](const std::string& from, const std::string& form,
                           std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"convert", from, "--to", form};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = embedding(folder, arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  };
  CHECK(convert(made("diffusers.bin"), "a1111") == "birb-style.pt\n");
  CHECK(convert("birb-style.pt", "kohya", {"--out", "kohya.safetensors"}) == "kohya.safetensors\n");
  CHECK(convert("kohya.safetensors", "diffusers", {"--name", "birb-style"}) ==
        "birb-style.safetensors\n");
  const sdx::Embedding first = sdx::read_embedding(made("diffusers.bin"));
  for (const char* name : {"birb-style.pt", "kohya.safetensors", "birb-style.safetensors"}) {
    INFO(name);
    CHECK(at::equal(sdx::read_embedding(folder.path() / name).vectors, first.vectors));
  }
  CHECK(sdx::map_safetensors(folder.path() / "birb-style.safetensors").tensors.begin()->first ==
        "<birb-style>");
  CHECK(convert(made("two_words.safetensors"), "a1111") == "cat.pt\ndog.pt\n");
  CHECK(sdx::test::entries_in(folder.path()) == 5);
}

TEST_CASE("cli: an embedding is converted over a file only by --force") {
  const TempFolder folder;
  folder.file("birb-style.pt", "older");
  const std::vector<std::string> arguments = {"convert", made("diffusers.bin"), "--to", "a1111"};
  check_refused_in_a_line(embedding(folder, arguments), 73, {"birb-style.pt", "--force"});
  CHECK(sdx::test::read_bytes(folder.path() / "birb-style.pt") == "older");
  std::vector<std::string> forced = arguments;
  forced.push_back("--force");
  CHECK(embedding(folder, forced).exit_code == 0);
  CHECK(sdx::read_embedding(folder.path() / "birb-style.pt").vectors.count() == 2);
}

TEST_CASE("cli: words of other tools are used in prompts, or refused with the reason") {
  const sdx::test::Workplace place;
  const fs::path words = place.path() / "embeddings";
  fs::create_directory(words);
  const sdx::Embedding word{"Ada", at::linspace(-0.1, 0.1, 64).reshape({2, 32}), {}, {}};
  sdx::write_embedding(words / "ada-in-a1111.pt", word, sdx::EmbeddingDialect::kA1111);
  for (const char* name : {"diffusers.bin", "lora.safetensors"}) fs::copy(made(name), words / name);
  // More vectors than a chunk has room for, and of another width: that is what is wrong with them.
  sdx::write_embedding(words / "t5.safetensors", {"t5", at::zeros({100, 4096}), {}, {}});
  const auto generate = [&](const std::string& prompt, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {prompt, "--steps", "1", "--seed", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return place.run("sdx-generate", arguments);
  };
  const RunResult made_image = generate("<ada-in-a1111> smiling");
  INFO(made_image.err);
  CHECK(made_image.exit_code == 0);
  check_refused_in_a_line(generate("<birb-style>"), 65,
                          {"diffusers.bin: made for a model of width 4", "(width 32)"});
  check_refused_in_a_line(generate("<t5>"), 65, {"t5.safetensors: made for a model of width 4096"});
  check_refused_in_a_line(generate("<lora>"), 65, {"<lora> is there but cannot be used", "a LoRA"});
  check_refused_in_a_line(generate("a robot", {"--embeddings", "embeddings/lora.safetensors"}), 65,
                          {"lora.safetensors: holds weights"});
  check_refused_in_a_line(generate("a robot", {"--embeddings", "embeddings/absent.pt"}), 66,
                          {"absent.pt"});
}

TEST_CASE("cli: sdx-model embedding's refusals") {
  const TempFolder folder;
  check_refused_in_a_line(embedding(folder, {"show", "absent.pt"}), 66, {"absent.pt"});
  check_refused_in_a_line(embedding(folder, {"show", made("malicious.pt")}), 65,
                          {"malicious.pt", "posix.system"});
  check_refused_in_a_line(embedding(folder, {"show", folder.file("empty.pt", "")}), 65,
                          {"is empty"});
  check_refused_in_a_line(embedding(folder, {"list"}), 64, {"show or convert", "list"});
  const std::string good = made("diffusers.bin");
  check_refused_in_a_line(embedding(folder, {"convert", "absent.pt", "--to", "a1111"}), 66,
                          {"absent.pt"});
  check_refused_in_a_line(embedding(folder, {"convert", good}), 64, {"--to"});
  check_refused_in_a_line(embedding(folder, {"convert", good, "--to", "comfy"}), 64,
                          {"diffusers, a1111 or kohya", "comfy"});
  check_refused_in_a_line(embedding(folder, {"convert", good, "--to", "a1111", "--name", "a b"}),
                          64, {"--name \"a b\""});
  check_refused_in_a_line(
      embedding(folder, {"convert", good, "--to", "a1111", "--out", "no/such/x.pt"}), 73,
      {"no/such"});
  check_refused_in_a_line(embedding(folder, {"convert", made("two_words.safetensors"), "--to",
                                             "a1111", "--name", "cow"}),
                          64, {"2 words"});
  check_refused_in_a_line(embedding(folder, {"convert", made("xti.safetensors"), "--to", "a1111"}),
                          65, {"kohya's XTI"});
  sdx::write_safetensors(folder.path() / "up.safetensors",
                         {{"<../up>", sdx::read_embedding(good).vectors}});
  check_refused_in_a_line(embedding(folder, {"convert", "up.safetensors", "--to", "a1111"}), 64,
                          {"<../up>", "--name NAME"});
  CHECK_FALSE(fs::exists(folder.path().parent_path() / "up.pt"));
}
