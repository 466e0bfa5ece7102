// sdx-generate --vae-approx: TAESD in place of the autoencoder, in the picture's text, and again.

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "sdx/image/convert.h"
#include "sdx/image/decode.h"
#include "sdx/image/metadata.h"
#include "sdx/model/tiny_autoencoder.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/sha256.h"
#include "support/image_files.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

const fs::path kFiles = fs::path(SDX_TEST_DATA) / "taesd";

/// The one picture that is made.
fs::path make(const Workplace& place, const std::string& folder,
              std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--out", folder});
  const RunResult result = place.run("sdx-generate", arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  fs::path file = result.out.substr(0, result.out.find('\n'));
  return place.path() / file;
}

RunResult refuse(const Workplace& place, const std::string& file) {
  RunResult result = place.run("sdx-generate", {"a robot", "--steps", "2", "--vae-approx", file});
  INFO(result.err);
  CHECK(!fs::exists(place.path() / "pictures/0001-1-a-robot.png"));
  return result;
}

}  // namespace

TEST_CASE("vae-approx: the picture is what the tiny autoencoder makes of its latents") {
  const Workplace place;
  fs::copy(kFiles / "taesd_decoder.safetensors", place.path() / "small.safetensors");
  const std::vector<std::string> asked = {"a robot", "--seed", "4",     "--steps",
                                          "3",       "--size", "72x64", "--vae-approx"};
  auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = asked;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const fs::path made =
      make(place, "made", with({"small.safetensors", "--save-latents", "latents.safetensors"}));
  const at::Tensor latents =
      sdx::map_safetensors(place.path() / "latents.safetensors").tensors.at("latents");
  const sdx::TinyAutoencoder tiny(kFiles / "taesd_decoder.safetensors",
                                  c10::Device(c10::DeviceType::CPU));
  CHECK(sdx::decode_image(made).image.rgb == sdx::to_image(tiny.decode(latents)).rgb);

  const std::string text = sdx::read_parameters(made).value_or("");
  CHECK_THAT(text, ContainsSubstring("VAE Decoder: TAESD"));
  CHECK_THAT(text, ContainsSubstring(
                       "VAE Decoder model: small.safetensors, VAE Decoder hash: " +
                       sdx::sha256_of_file(place.path() / "small.safetensors").substr(0, 12)));

  // Again, from the picture alone; and the VAE's where it is asked for.
  const fs::path again = make(place, "again", {"--from-image", made.string()});
  CHECK(sdx::test::read_bytes(again) == sdx::test::read_bytes(made));
  const fs::path whole = make(place, "whole", {"--from-image", made.string(), "--vae-approx="});
  const fs::path usual = make(place, "usual", with({""}));
  CHECK(sdx::test::read_bytes(whole) == sdx::test::read_bytes(usual));
  CHECK(sdx::decode_image(usual).image.rgb != sdx::decode_image(made).image.rgb);

  // Another file under its name, and none.
  fs::remove(place.path() / "small.safetensors");
  RunResult result = place.run("sdx-generate", {"--from-image", made.string(), "--out", "none"});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("was decoded by a tiny autoencoder (TAESD), "
                                           "\"small.safetensors\", which is not here: "
                                           "--vae-approx FILE gives it"));
  result = place.run("sdx-generate", {"--from-image", made.string(), "--out", "other",
                                      "--vae-approx", (kFiles / "both.safetensors").string()});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("both.safetensors is another one: its hash is "));
}

TEST_CASE("vae-approx: also for tiles, a second pass, and lines of a prompts file") {
  const Workplace place;
  const std::string folder = (kFiles / "folder").string();
  const fs::path tile = make(
      place, "tile", {"a robot", "--seed", "1", "--steps", "2", "--tile", "--vae-approx", folder});
  CHECK_THAT(sdx::read_parameters(tile).value_or(""),
             ContainsSubstring("VAE Decoder model: folder,"));
  const fs::path larger =
      make(place, "larger",
           {"a robot", "--seed", "1", "--steps", "2", "--hires", "2", "--vae-approx", folder});
  CHECK(sdx::decode_image(larger).image.width_px == 128);
  std::ofstream(place.path() / "prompts.txt")
      << "a robot\n--prompt \"a robot\" --vae-approx " << folder << "\n";
  const RunResult lines = place.run("sdx-generate", {"--prompts", "prompts.txt", "--seed", "1",
                                                     "--steps", "2", "--out", "lines"});
  INFO(lines.err);
  REQUIRE(lines.exit_code == 0);
  CHECK(sdx::decode_image(place.path() / "lines/0001-1-a-robot.png").image.rgb !=
        sdx::decode_image(place.path() / "lines/0002-1-a-robot.png").image.rgb);
}

TEST_CASE("vae-approx: what is no TAESD for the model is refused before the work") {
  const Workplace place;
  RunResult result = refuse(place, "nothere.safetensors");
  CHECK(result.exit_code == 66);
  CHECK_THAT(result.err, ContainsSubstring("--vae-approx nothere.safetensors: no such file"));
  result = refuse(place, (kFiles / "sixteen.safetensors").string());
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("sixteen.safetensors: its latents have 16 channels, 8 "
                                           "pixels a side for each; those of the model tiny have 4 "
                                           "channels"));
  result = refuse(place, (kFiles / "taesd_encoder.safetensors").string());
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("it is the encoder of a tiny autoencoder"));
  result = refuse(place, Workplace::model() + "/vae.safetensors");
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("no tiny autoencoder (TAESD): "));
  sdx::TensorMap tensors = sdx::map_safetensors(kFiles / "taesd_decoder.safetensors").tensors;
  tensors["1.bias"] = tensors.at("1.bias").clone().fill_(std::numeric_limits<float>::quiet_NaN());
  sdx::write_safetensors(place.path() / "nan.safetensors", tensors);
  result = refuse(place, "nan.safetensors");
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("--vae-approx nan.safetensors: '1.bias' holds values "
                                           "that are not finite"));
}
