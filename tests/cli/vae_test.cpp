// sdx-generate --vae: another autoencoder for one run, named in the picture and taken again.

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <fstream>

#include "sdx/image/decode.h"
#include "sdx/image/metadata.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/sha256.h"
#include "support/run.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

/// A folder with the tiny Stable Diffusion 1, and an autoencoder of half its weights in a file.
struct Place {
  Place() {
    const SyntheticModel made("sd1-tiny");
    made.write_single_file(path() / "model.safetensors", at::kFloat);
    const RunResult imported = run(
        "sdx-model", {"import", "model.safetensors", "--name", "tiny", "--models-dir", "models"});
    INFO(imported.err);
    REQUIRE(imported.exit_code == 0);
    sdx::TensorMap tensors = made.weights("vae", at::kFloat);
    sdx::write_safetensors(path() / "whole.safetensors", tensors);
    for (auto& [name, tensor] : tensors) tensor = tensor * 0.5;
    sdx::write_safetensors(path() / "half.safetensors", tensors);
  }

  const fs::path& path() const { return folder.path(); }

  RunResult run(const std::string& tool, std::vector<std::string> arguments) const {
    sdx::test::Run command;
    command.tool = tool;
    command.arguments = std::move(arguments);
    command.folder = path();
    return sdx::test::run(command);
  }

  RunResult generate(const std::string& out, std::vector<std::string> more) const {
    more.insert(more.end(), {"--out", out, "--steps", "2", "--model", "models/tiny"});
    return run("sdx-generate", more);
  }

  /// From the same noise, small.
  RunResult draw(const std::string& out, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"a man", "--seed", "1", "--size", "64x64"});
    return generate(out, more);
  }

  fs::path picture(const std::string& out) const {
    return fs::directory_iterator(path() / out)->path();
  }

  TempFolder folder;
};

std::string text_of(const fs::path& picture) { return sdx::read_parameters(picture).value_or(""); }

}  // namespace

TEST_CASE("cli: --vae replaces the autoencoder, is named in the picture and taken again") {
  const Place place;
  REQUIRE(place.draw("own").exit_code == 0);
  REQUIRE(place.draw("half", {"--vae", "half.safetensors"}).exit_code == 0);
  const std::string own = sdx::read_file(place.picture("own"));
  const std::string half = sdx::read_file(place.picture("half"));
  CHECK(own != half);
  const std::string hash = sdx::sha256_of_file(place.path() / "half.safetensors").substr(0, 10);
  CHECK_THAT(text_of(place.picture("half")),
             ContainsSubstring("Model: tiny, VAE hash: " + hash + ", VAE: half.safetensors"));
  CHECK_THAT(text_of(place.picture("own")), !ContainsSubstring("VAE"));

  const std::string made = place.picture("half");
  REQUIRE(place.generate("again", {"--from-image", made}).exit_code == 0);
  CHECK(sdx::read_file(place.picture("again")) == half);
  // The model's own, though the picture says another.
  REQUIRE(place.generate("asked", {"--from-image", made, "--vae", "own"}).exit_code == 0);
  CHECK(sdx::read_file(place.picture("asked")) == own);

  // Another file of that name is said; one that is gone too.
  fs::copy_file(place.path() / "whole.safetensors", place.path() / "half.safetensors",
                fs::copy_options::overwrite_existing);
  const RunResult other = place.generate("other", {"--from-image", made});
  CHECK(other.exit_code == 0);
  CHECK_THAT(other.err, ContainsSubstring("its hash is \"" + hash + "\""));
  fs::remove(place.path() / "half.safetensors");
  const RunResult gone = place.generate("gone", {"--from-image", made});
  CHECK(gone.exit_code == 0);
  CHECK_THAT(gone.err, ContainsSubstring("\"half.safetensors\", which is not here") &&
                           ContainsSubstring("--vae FILE"));
  CHECK(sdx::read_file(place.picture("gone")) == own);
}

TEST_CASE("cli: --vae takes another model's autoencoder by its folder") {
  const Place place;
  REQUIRE(place
              .run("sdx-model", {"import", "model.safetensors", "--name", "other", "--models-dir",
                                 "models", "--vae", "half.safetensors"})
              .exit_code == 0);
  REQUIRE(place.draw("half", {"--vae", "half.safetensors"}).exit_code == 0);
  REQUIRE(place.draw("other", {"--vae", "models/other"}).exit_code == 0);
  CHECK_THAT(text_of(place.picture("other")), ContainsSubstring(", VAE: other"));
  CHECK(sdx::decode_image(place.picture("other")).image.rgb ==
        sdx::decode_image(place.picture("half")).image.rgb);
}

TEST_CASE("cli: --vae refuses what is no autoencoder of this model, by name") {
  const Place place;
  std::ofstream(place.path() / "text.safetensors") << "no tensors";
  sdx::TensorMap tensors = sdx::map_safetensors(place.path() / "half.safetensors").tensors;
  for (auto& [name, tensor] : tensors) tensor = tensor * 1;
  tensors["post_quant_conv.weight"] = tensors.at("post_quant_conv.weight").repeat({4, 4, 1, 1});
  sdx::write_safetensors(place.path() / "wide.safetensors", tensors);
  struct Case {
    const char* vae;
    int exit_code;
    const char* words;
  };
  for (const Case& one :
       {Case{"text.safetensors", 65, "text.safetensors"}, Case{"wide.safetensors", 65, "found 16"},
        Case{"absent.safetensors", 66, "--vae absent.safetensors: no such file"},
        Case{"nobody", 66, "--vae nobody: no such model"}}) {
    INFO(one.vae);
    const RunResult result = place.draw("none", {"--vae", one.vae});
    INFO(result.err);
    CHECK(result.exit_code == one.exit_code);
    CHECK_THAT(result.err, ContainsSubstring(one.words));
    CHECK_FALSE(fs::exists(place.path() / "none"));
  }
}
