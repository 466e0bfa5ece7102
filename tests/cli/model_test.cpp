// sdx-model as a person uses it: checkpoints of synthetic weights, good and bad.

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/run.h"
#include "support/synthetic.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

/// A folder with a single-file Stable Diffusion 1, tiny, called as the well-known one.
class Place {
 public:
  Place() { SyntheticModel("sd1-tiny").write_single_file(path() / "sd15.safetensors", at::kFloat); }

  const fs::path& path() const { return folder_.path(); }

  RunResult model(std::vector<std::string> arguments) const { return run("sdx-model", arguments); }

  RunResult run(const std::string& tool, const std::vector<std::string>& arguments) const {
    sdx::test::Run command;
    command.tool = tool;
    command.arguments = arguments;
    command.folder = path();
    command.prepare = [models = path() / "models"] { ::setenv("SDX_MODELS", models.c_str(), 1); };
    return sdx::test::run(command);
  }

  RunResult import(const std::string& source, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"import", source, "--name", "sd15"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return model(arguments);
  }

  /// Refused with this exit code and these words in one line, and nothing is left behind.
  void check_refused(const RunResult& result, int exit_code,
                     const std::vector<std::string>& words) const {
    INFO("stderr: " << result.err);
    CHECK(result.exit_code == exit_code);
    for (const std::string& word : words) CHECK_THAT(result.err, ContainsSubstring(word));
    CHECK((!fs::exists(path() / "models") || fs::is_empty(path() / "models")));
  }

  void write(const std::string& name, const sdx::TensorMap& tensors) const {
    sdx::write_safetensors(path() / name, tensors);
  }

 private:
  TempFolder folder_;
};

}  // namespace

TEST_CASE("cli: a checkpoint is imported, listed, shown, verified and used") {
  const Place place;
  const RunResult imported = place.import("sd15.safetensors", {"--dtype", "fp16"});
  INFO(imported.err);
  REQUIRE(imported.exit_code == 0);
  CHECK_THAT(imported.err,
             ContainsSubstring("2 tensors are not used") && ContainsSubstring("alphas_cumprod"));
  CHECK_THAT(imported.err, ContainsSubstring("Imported sd15 (sd1, 512 px, epsilon, fp16)"));

  const RunResult listed = place.model({"list"});
  CHECK_THAT(listed.out, ContainsSubstring("sd15") && ContainsSubstring("512 px"));
  CHECK_THAT(listed.out, ContainsSubstring("mini"));
  const RunResult shown = place.model({"show", "sd15", "--json"});
  const sdx::Json json = sdx::Json::parse(shown.out);
  CHECK(json["family"] == "sd1");
  CHECK(json["parts"][1]["part"] == "unet");
  CHECK(json["parts"][1]["parameters"] > 500'000);
  CHECK(json["parts"][1]["dtype"] == "F16");
  CHECK_THAT(place.model({"show", "sd15"}).out, ContainsSubstring("Stable Diffusion 1"));
  CHECK_THAT(place.model({"verify", "sd15"}).err, ContainsSubstring("sd15: intact"));

  const RunResult tokens = place.run("sdx-tokenize", {"a photo of a cat", "--model", "sd15"});
  INFO(tokens.err);
  CHECK_THAT(tokens.out, ContainsSubstring("1125"));  // "photo</w>" in CLIP's vocabulary
  const RunResult image = place.run("sdx-generate", {"a cat", "--model", "sd15", "--steps", "2",
                                                     "--size", "64x64", "--seed", "1"});
  INFO(image.err);
  CHECK(image.exit_code == 0);

  std::string bytes = sdx::test::read_bytes(place.path() / "models/sd15/vae.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  sdx::write_file_atomically(place.path() / "models/sd15/vae.safetensors", bytes);
  const RunResult damaged = place.model({"verify", "sd15"});
  CHECK(damaged.exit_code == 65);
  CHECK_THAT(damaged.err, ContainsSubstring("vae.safetensors") && ContainsSubstring("1 problem"));
}

TEST_CASE("cli: a small model says which words of a prompt it has never read") {
  const Place place;
  const fs::path tiny = place.path() / "checkpoint";
  fs::copy(std::string(SDX_TEST_DATA) + "/tiny", tiny, fs::copy_options::recursive);
  sdx::write_file_atomically(tiny / "sdx.json", R"({"known_words": ["a", "robot", "snow"]})");
  REQUIRE(place.model({"import", tiny.string(), "--name", "small"}).exit_code == 0);
  CHECK(sdx::Json::parse(place.model({"show", "small", "--json"}).out)["known_words"] ==
        sdx::Json({"a", "robot", "snow"}));
  CHECK_THAT(place.model({"show", "small"}).out, ContainsSubstring("a robot snow"));
  const auto say = [&](const std::string& prompt) {
    const RunResult made = place.run(
        "sdx-generate", {prompt, "--model", "small", "--steps", "1", "--seed", "1", "-n", "2"});
    INFO(made.err);
    REQUIRE(made.exit_code == 0);
    return made.err;
  };
  CHECK_THAT(
      say("a zebra, (robot:1.2) [snow:harvester:0.5]"),
      ContainsSubstring("The model small has never read: zebra, harvester. It knows 3 words, "
                        "which sdx-model show small lists"));
  CHECK_THAT(say("a Robot, snow"), !ContainsSubstring("never read"));
  CHECK_THAT(say(std::string(5000, 'z')),
             ContainsSubstring("zzz…\"") && !ContainsSubstring(std::string(100, 'z')));

  sdx::write_file_atomically(tiny / "sdx.json", R"({"known_words": "robot"})");
  const RunResult wrong = place.model({"import", tiny.string(), "--name", "wrong"});
  CHECK(wrong.exit_code == 65);
  CHECK_THAT(wrong.err, ContainsSubstring("sdx.json") && ContainsSubstring("known_words"));
}

TEST_CASE("cli: sdx-model says what a file is that is no model of ours") {
  const Place place;
  const at::Tensor one = at::zeros({1});
  place.write("refiner.safetensors", {{"conditioner.embedders.0.model.x", one},
                                      {"model.diffusion_model.label_emb.0.0.weight", one}});
  place.check_refused(place.import("refiner.safetensors"), 65,
                      {"refiner.safetensors", "the refiner of Stable Diffusion XL"});
  place.write("lora.safetensors", {{"lora_unet_x.lora_down.weight", one}});
  place.check_refused(place.import("lora.safetensors"), 65, {"lora.safetensors", "a LoRA"});
  place.write("vae.safetensors",
              {{"first_stage_model.encoder.x", one}, {"first_stage_model.decoder.x", one}});
  place.check_refused(place.import("vae.safetensors"), 65, {"a VAE without a UNet"});
  sdx::TensorMap damaged = SyntheticModel("sd1-tiny").original_weights(at::kFloat);
  damaged["first_stage_model.decoder.conv_in.bias"] = at::full({64}, std::nan(""));
  place.write("nan.safetensors", damaged);
  place.check_refused(place.import("nan.safetensors"), 65,
                      {"nan.safetensors", "\"decoder.conv_in.bias\"", "not finite"});
  fs::resize_file(place.path() / "nan.safetensors", 1'000'000);
  place.check_refused(place.import("nan.safetensors"), 65, {"nan.safetensors", "bytes"});
  fs::copy(fs::path(SDX_TEST_DATA) / "torch/malicious.pt", place.path() / "malicious.ckpt");
  place.check_refused(place.import("malicious.ckpt"), 65, {"malicious.ckpt", "posix.system"});
}

TEST_CASE("cli: sdx-model's other refusals") {
  const Place place;
  place.check_refused(place.import("absent.safetensors"), 66, {"absent.safetensors"});
  place.check_refused(place.model({"import", "sd15.safetensors"}), 64, {"--name"});
  place.check_refused(place.import("sd15.safetensors", {"--dtype", "fp8"}), 64, {"--dtype", "fp8"});
  place.check_refused(place.import("sd15.safetensors", {"--prediction", "x0"}), 64,
                      {"--prediction", "x0"});
  place.check_refused(place.import("sd15.safetensors", {"--link", "--dtype", "fp16"}), 64,
                      {"--link", "--dtype"});
  place.check_refused(place.model({"imprt"}), 64,
                      {"imprt", "import, list, show, verify, embedding or lora"});
  place.check_refused(place.model({"show", "nothing"}), 66, {"nothing", "known are"});

  const fs::path folder = place.path() / "folder";
  SyntheticModel("sd1-tiny").write_folder(folder, at::kFloat);
  fs::remove(folder / "unet/diffusion_pytorch_model.safetensors");
  sdx::write_file_atomically(folder / "unet/diffusion_pytorch_model.safetensors.index.json",
                             R"({"weight_map": {"conv_in.bias": "shard-1.safetensors"}})");
  place.check_refused(place.import("folder"), 66, {"shard-1.safetensors: missing"});

  REQUIRE(place.import("sd15.safetensors").exit_code == 0);
  CHECK(place.import("sd15.safetensors").exit_code == 73);
  CHECK(place.import("sd15.safetensors", {"--force"}).exit_code == 0);
}
