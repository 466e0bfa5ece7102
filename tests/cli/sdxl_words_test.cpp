// Words for the two text encoders of SDXL, as a person shows, converts, uses and trains them.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/tensor/safetensors.h"
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

at::Tensor vectors(std::int64_t count, std::int64_t width, int shift = 0) {
  return ((at::arange(count * width, at::kFloat) + shift) / 7 - 1).reshape({count, width});
}

sdx::EmbeddingVectors both(std::int64_t count = 2) {
  return sdx::EmbeddingVectors(
      std::vector<at::Tensor>{vectors(count, 768), vectors(count, 1280, 3)});
}

}  // namespace

TEST_CASE("cli: a word of SDXL goes through every form and stays what it was") {
  const TempFolder folder;
  const auto convert = [&](std::vector<std::string> files, const std::string& form,
                           const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"convert"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    arguments.insert(arguments.end(), {"--to", form});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = embedding(folder, arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK_THAT(result.err, ContainsSubstring("2 x 768 and 2 x 1280, for SDXL"));
    return result.out;
  };
  sdx::write_safetensors(folder.path() / "learned_embeds.safetensors",
                         {{"<Ada>", both().matrix(0)}});
  sdx::write_safetensors(folder.path() / "learned_embeds_2.safetensors",
                         {{"<Ada>", both().matrix(1)}});
  CHECK(convert({"learned_embeds.safetensors", "learned_embeds_2.safetensors"}, "a1111") ==
        "Ada.pt\n");
  CHECK(convert({"Ada.pt"}, "kohya") == "Ada.safetensors\n");
  CHECK(convert({"Ada.safetensors"}, "diffusers", {"--name", "Eva"}) ==
        "Eva.safetensors\nEva_2.safetensors\n");
  for (const auto& files : std::vector<std::vector<fs::path>>{
           {"Ada.pt"}, {"Ada.safetensors"}, {"Eva.safetensors", "Eva_2.safetensors"}}) {
    std::vector<fs::path> places;
    for (const fs::path& file : files) places.push_back(folder.path() / file);
    const auto words = sdx::read_embeddings(places);
    REQUIRE(words.size() == 1);
    CHECK(are_equal(words.front().vectors, both()));
  }
  // Neither of the two files is written over.
  fs::remove(folder.path() / "Eva.safetensors");
  check_refused_in_a_line(
      embedding(folder, {"convert", "Ada.pt", "--to", "diffusers", "--name", "Eva"}), 73,
      {"Eva_2.safetensors: is there already"});
  CHECK_FALSE(fs::exists(folder.path() / "Eva.safetensors"));
}

TEST_CASE("cli: sdx-model embedding show says which text encoder each part is for") {
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "ada.safetensors",
                         {{"clip_l", both().matrix(0)}, {"clip_g", both().matrix(1)}});
  const RunResult shown = embedding(folder, {"show", "ada.safetensors"});
  CHECK(shown.exit_code == 0);
  for (const char* words : {"<ada>, clip_l", "2 x 768, F32", "the first text encoder of SDXL",
                            "2 x 1280, F32", "the second text encoder of SDXL"}) {
    CHECK_THAT(shown.out, ContainsSubstring(words));
  }
  CHECK_THAT(shown.out, !ContainsSubstring("unusable"));
}

TEST_CASE("cli: what is no whole word of SDXL is refused, or said") {
  const TempFolder folder;
  const auto write = [&](const char* name, const sdx::TensorMap& tensors) {
    sdx::write_safetensors(folder.path() / name, tensors);
  };
  write("counts.safetensors", {{"clip_l", vectors(2, 768)}, {"clip_g", vectors(3, 1280)}});
  check_refused_in_a_line(embedding(folder, {"convert", "counts.safetensors", "--to", "kohya"}), 65,
                          {"counts.safetensors: \"clip_g\" holds 3 vectors and \"clip_l\" 2"});
  write("a.safetensors", {{"<Ada>", vectors(1, 768)}});
  write("a_2.safetensors", {{"<Ada>", vectors(4, 1280)}});
  check_refused_in_a_line(
      embedding(folder, {"convert", "a.safetensors", "a_2.safetensors", "--to", "kohya"}), 65,
      {"a.safetensors and a_2.safetensors", "hold 1 and 4 vectors"});
  write("sd3.safetensors",
        {{"clip_l", vectors(1, 768)}, {"clip_g", vectors(1, 1280)}, {"t5", vectors(1, 4096)}});
  check_refused_in_a_line(embedding(folder, {"convert", "sd3.safetensors", "--to", "kohya"}), 65,
                          {"\"t5\"", "SD 3, Flux"});
  write("half.safetensors", {{"clip_g", vectors(1, 1280)}});
  check_refused_in_a_line(embedding(folder, {"convert", "half.safetensors", "--to", "a1111"}), 65,
                          {"for the second text encoder alone", "kohya"});
  const RunResult half =
      embedding(folder, {"convert", "half.safetensors", "--to", "kohya", "--name", "Half"});
  CHECK(half.exit_code == 0);
  CHECK_THAT(half.err, ContainsSubstring("the first reads the prompt without the word"));
}

TEST_CASE("cli: a word of SDXL in another model is refused by name, with the way out") {
  const sdx::test::Workplace place;
  const fs::path words = place.path() / "embeddings";
  fs::create_directory(words);
  sdx::write_embedding(words / "Ada.safetensors", {"Ada", both(), {}, {}});
  check_refused_in_a_line(place.run("sdx-generate", {"<Ada>", "--steps", "1"}), 65,
                          {"Ada.safetensors: made for SDXL (vectors of width 768 and 1280)",
                           "(width 32)", "use it with an SDXL model (--model)"});
}

TEST_CASE("cli: --train-encoders 2 is refused where the model has one text encoder") {
  const sdx::test::Workplace place;
  const auto train = [&](const std::string& encoders) {
    return place.train("Ada", {"--train-encoders", encoders});
  };
  const RunResult second = train("2");
  CHECK(second.exit_code == 64);
  CHECK_THAT(second.err, ContainsSubstring("--train-encoders: expected both or 1, for this model "
                                           "has one text encoder, found \"2\""));
  const RunResult third = train("3");
  CHECK(third.exit_code == 64);
  CHECK_THAT(third.err, ContainsSubstring("expected both, 1 or 2, found \"3\""));
}
