// sdx-generate --upscale: the finished picture, made larger by a network.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/metadata.h"
#include "sdx/model/upscaler.h"
#include "sdx/util/sha256.h"
#include "support/image_files.h"
#include "support/pictures.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::largest_difference;
using sdx::test::Run;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

const fs::path kUpscalers = fs::path(SDX_TEST_DATA) / "upscalers";

/// A place where sdx-generate is run, with `$SDX_MODELS` in it.
class UpscalePlace {
 public:
  UpscalePlace() { fs::create_directory(place_.path() / "models"); }

  fs::path path(const std::string& name) const { return place_.path() / name; }

  RunResult run(std::vector<std::string> arguments) const {
    Run command = place_.command("sdx-generate", std::move(arguments));
    command.prepare = [models = path("models").string()] {
      ::setenv("SDX_MODELS", models.c_str(), 1);
    };
    return sdx::test::run(command);
  }

  /// The one picture of a run.
  fs::path make(const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"--out", out, "--batch", "1"};
    arguments.insert(arguments.begin(), more.begin(), more.end());
    const RunResult result = run(arguments);
    said_ = result.err;
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    fs::path found;
    for (const auto& entry : fs::directory_iterator(path(out))) found = entry.path();
    return found;
  }

  const std::string& said() const { return said_; }

  std::string refuse(int exit_code, std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"robot", "--out", "refused", "--steps", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = run(arguments);
    CHECK(result.exit_code == exit_code);
    CHECK_FALSE(fs::exists(path("refused")));
    return result.err;
  }

 private:
  Workplace place_;
  std::string said_;
};

std::vector<std::string> robot(std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"robot", "--steps", "2", "--seed", "4"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("upscale: the picture is the network's, says so, and is made again") {
  UpscalePlace place;
  const fs::path file = kUpscalers / "x4.safetensors";
  const fs::path small = place.make("small", robot());
  const fs::path large = place.make("large", robot({"--upscale", file.string()}));
  const sdx::Image base = sdx::decode_image(small).image;
  const sdx::Image made = sdx::decode_image(large).image;
  CHECK(made.width_px == 4 * base.width_px);
  const sdx::Upscaler upscaler(file, c10::Device(c10::DeviceType::CPU));
  CHECK(largest_difference(made, upscaler.enlarge(base)) <= 1);

  const std::string text = sdx::read_parameters(large).value();
  CHECK_THAT(text, ContainsSubstring("Size: 64x64") &&
                       ContainsSubstring("Postprocess upscaler: x4, Postprocess upscale by: 4, "
                                         "Postprocess upscaler hash: " +
                                         sdx::sha256_of_file(file).substr(0, 12)));
  CHECK_THAT(text, !ContainsSubstring(kUpscalers.string()));

  // Found among the models by the name in the picture.
  fs::copy_file(file, place.path("models") / "x4.safetensors");
  const fs::path again = place.make("again", {"--from-image", large.string()});
  const bool is_same = sdx::test::read_bytes(again) == sdx::test::read_bytes(large);
  CHECK(is_same);
  CHECK_THAT(place.said(), !ContainsSubstring("not taken over"));
  fs::remove(place.path("models") / "x4.safetensors");
  const std::string missing = place.refuse(66, {"--from-image", large.string()});
  CHECK_THAT(missing,
             ContainsSubstring("--upscale x4: no such file") && ContainsSubstring("models"));
}

TEST_CASE("upscale: other programs' upscalers are a remark, unless a file of the name is there") {
  UpscalePlace place;
  const auto make_foreign = [&place](const std::string& out) {
    sdx::write_png(place.path("foreign.png"), sdx::Image(16, 16),
                   {{"parameters",
                     "robot\nSteps: 2, Sampler: Euler, CFG scale: 2, Seed: 4, Size: 64x64, "
                     "Postprocess upscale by: 2, Postprocess upscaler: R-ESRGAN 2x+"}});
    return sdx::decode_image(place.make(out, {"--from-image", place.path("foreign.png").string()}))
        .image;
  };
  CHECK(make_foreign("a").width_px == 64);
  CHECK_THAT(place.said(), ContainsSubstring("not taken over from the picture: postprocessing"));
  fs::copy_file(kUpscalers / "compact_x2.safetensors",
                place.path("models") / "R-ESRGAN 2x+.safetensors");
  CHECK(make_foreign("b").width_px == 128);
  CHECK_THAT(place.said(), !ContainsSubstring("not taken over"));
}

TEST_CASE("upscale: other files, missing ones and tiles are refused before the work") {
  const UpscalePlace place;
  CHECK_THAT(place.refuse(66, {"--upscale", "nowhere.pth"}),
             ContainsSubstring("--upscale nowhere.pth: no such file"));
  const std::string embedding = std::string(SDX_TEST_DATA) + "/upscalers/golden.safetensors";
  CHECK_THAT(place.refuse(65, {"--upscale", embedding}),
             ContainsSubstring("no upscaler of the ESRGAN family"));
  const std::string picture = std::string(SDX_TEST_DATA) + "/images/no_profile.jpg";
  CHECK_THAT(place.refuse(65, {"--upscale", picture}), ContainsSubstring("picture"));
  const std::string file = (kUpscalers / "x2.pth").string();
  CHECK_THAT(place.refuse(64, {"--upscale", file, "--tile"}),
             ContainsSubstring("--tile and --upscale"));
}
