// A word of SDXL from portraits to a picture, with the real programs and a tiny model.

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <filesystem>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/skip.h"
#include "support/synthetic.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;

namespace {

using Widths = std::vector<std::int64_t>;

/// A workplace with the tiny SDXL, whose pictures are made small: 64 × 64 pixels.
struct SdxlPlace {
  sdx::test::Workplace place;
  std::string model = (place.path() / "models/sdxl").string();

  SdxlPlace() {
    const fs::path checkpoint = place.path() / "checkpoint";
    sdx::test::SyntheticModel("sdxl-tiny").write_folder(checkpoint, at::kFloat);
    const fs::path config = checkpoint / "unet/config.json";
    sdx::Json unet = sdx::read_json_file(config);
    unet["sample_size"] = 8;
    sdx::write_file_atomically(config, unet.dump());
    const RunResult imported =
        run("sdx-model", {"import", "checkpoint", "--name", "sdxl", "--models-dir", "models"});
    INFO(imported.err);
    REQUIRE(imported.exit_code == 0);
  }

  RunResult run(const std::string& tool, std::vector<std::string> arguments) const {
    sdx::test::Run command;
    command.tool = tool;
    command.arguments = std::move(arguments);
    command.folder = place.path();
    return sdx::test::run(command);
  }

  RunResult train(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"faces", "--name",  name, "--steps",
                                          "2",     "--batch", "1",  "--milestone-steps",
                                          "0",     "--model", model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    RunResult result = run("sdx-train", arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result;
  }

  sdx::Safetensors word(const std::string& name) const {
    return sdx::map_safetensors(place.path() / "embeddings" / (name + ".safetensors"));
  }
};

}  // namespace

TEST_CASE("cli: a word of SDXL is trained, written, read back and drawn") {
  if (!fs::exists(fs::path(SDX_TEST_DATA) / "layouts/sdxl-tiny.json")) {
    SDX_SKIP("the tiny SDXL is not here");
  }
  const SdxlPlace place;
  place.train("Ada", {"--seed", "3", "--trace", "trace.safetensors"});
  const sdx::Safetensors both = place.word("Ada");
  REQUIRE(both.tensors.size() == 2);
  const Widths widths = {both.tensors.at("clip_l").size(1), both.tensors.at("clip_g").size(1)};
  CHECK(both.metadata.at("sdx.train_encoders") == "both");
  CHECK(both.metadata.at("sdx.steps") == "2");

  // The faces are whole squares of 96 pixels, scaled to 64.
  const sdx::TensorMap trace =
      sdx::map_safetensors(place.place.path() / "trace.safetensors").tensors;
  const at::Tensor ids = trace.at("step.0.size_ids");
  CHECK(at::equal(ids, at::tensor({96.F, 96.F, 0.F, 0.F, 64.F, 64.F}).repeat({ids.size(0), 1})));
  const at::Tensor start_l = trace.at("step.0.vectors");
  const at::Tensor start_g = trace.at("step.0.vectors.2");
  CHECK_FALSE(at::equal(both.tensors.at("clip_l"), start_l));
  CHECK_FALSE(at::equal(both.tensors.at("clip_g"), start_g));

  // The other encoder's vectors stay at their start, bit for bit; --memory low works.
  place.train("First", {"--seed", "3", "--train-encoders", "1", "--memory", "low"});
  CHECK_FALSE(at::equal(place.word("First").tensors.at("clip_l"), start_l));
  CHECK(at::equal(place.word("First").tensors.at("clip_g"), start_g));
  CHECK(place.word("First").metadata.at("sdx.train_encoders") == "1");

  const auto draw = [&](const std::string& prompt, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {prompt, "--steps", "1",        "--seed",
                                          "1",    "--model", place.model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return place.run("sdx-generate", arguments);
  };
  const RunResult drawn = draw("<Ada> smiling, (<First>:1.2)");
  INFO(drawn.err);
  CHECK(drawn.exit_code == 0);

  // Through diffusers' two files and back it is the same word.
  const RunResult split =
      place.run("sdx-model", {"embedding", "convert", "embeddings/Ada.safetensors", "--to",
                              "diffusers", "--out", "two.safetensors"});
  INFO(split.err);
  REQUIRE(split.exit_code == 0);
  const auto joined = sdx::read_embeddings(
      {place.place.path() / "two.safetensors", place.place.path() / "two_2.safetensors"});
  REQUIRE(joined.size() == 1);
  CHECK(joined.front().name == "Ada");
  CHECK(joined.front().vectors.widths() == widths);
  CHECK(at::equal(joined.front().vectors.matrix(1), both.tensors.at("clip_g")));

  // One of the two alone is drawn with a remark.
  sdx::write_safetensors(place.place.path() / "Half.safetensors",
                         {{"clip_l", both.tensors.at("clip_l")}});
  const RunResult half = draw("<Half> smiling", {"--embeddings", "Half.safetensors"});
  INFO(half.err);
  CHECK(half.exit_code == 0);
  CHECK_THAT(half.err, ContainsSubstring("the second reads the prompt without the word"));

  // A word of one text encoder is no word of this model.
  sdx::write_safetensors(place.place.path() / "One.safetensors",
                         {{"<One>", both.tensors.at("clip_l")}});
  const RunResult refused = draw("<One>", {"--embeddings", "One.safetensors"});
  CHECK(refused.exit_code == 65);
  CHECK_THAT(refused.err, ContainsSubstring("One.safetensors: made for"));
}

TEST_CASE("cli: a training of SDXL resumes with the encoders that it began with") {
  if (!fs::exists(fs::path(SDX_TEST_DATA) / "layouts/sdxl-tiny.json")) {
    SDX_SKIP("the tiny SDXL is not here");
  }
  const SdxlPlace place;
  place.train("Ada", {"--train-encoders", "2"});
  const sdx::Json config = sdx::read_json_file(place.place.path() / "runs/Ada/config.json");
  CHECK(config["train-encoders"] == 2);
  const RunResult other = place.run("sdx-train", {"--resume", "runs/Ada", "--train-encoders", "1"});
  CHECK(other.exit_code == 64);
  CHECK_THAT(other.err, ContainsSubstring("it had \"2\", found \"1\""));
  const RunResult same = place.run("sdx-train", {"--resume", "runs/Ada"});
  INFO(same.err);
  CHECK(same.exit_code == 0);
}
