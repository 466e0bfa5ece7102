// Stable Diffusion 1.5 and 2 at their full size, of synthetic weights in half precision: parts
// against diffusers and transformers, and the whole way of a user with the real programs.

#include <cstdio>

#include "sdx/image/png.h"
#include "sdx/model/bundle.h"
#include "support/parity.h"
#include "support/run.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::test::RunResult;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

/// A folder with the single file of a model, and the programs run in it. What they cost is printed:
/// docs/parity.md quotes it.
class FullSize {
 public:
  explicit FullSize(const std::string& name) : model_(name), name_(name) {
    model_.write_single_file(checkpoint(), at::kHalf);
  }

  RunResult run(const std::string& tool, std::vector<std::string> arguments) const {
    sdx::test::Run command;
    command.tool = tool;
    command.arguments = std::move(arguments);
    command.folder = folder_.path();
    RunResult result = sdx::test::run(command);
    std::printf("%s %s: %.1f s, peak memory %.2f GB\n", name_.c_str(), tool.c_str(), result.seconds,
                result.peak_bytes / 1e9);
    std::fflush(stdout);
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result;
  }

  RunResult import() const {
    return run("sdx-model", {"import", checkpoint(), "--name", "full", "--models-dir", "models"});
  }

  fs::path checkpoint() const { return folder_.path() / "full.safetensors"; }
  fs::path path() const { return folder_.path(); }
  sdx::Bundle bundle() const { return sdx::Bundle::open(folder_.path() / "models/full"); }
  const SyntheticModel& model() const { return model_; }

 private:
  TempFolder folder_;
  SyntheticModel model_;
  std::string name_;
};

}  // namespace

TEST_CASE("full: Stable Diffusion 1.5 is imported, trained and asked for pictures") {
  const FullSize place("sd1");
  const double checkpoint_bytes = static_cast<double>(fs::file_size(place.checkpoint()));
  CHECK(checkpoint_bytes > 1.9e9);
  const RunResult imported = place.import();
  CHECK(imported.peak_bytes < checkpoint_bytes + 1.074e9);
  sdx::test::check_parity(place.bundle(), place.model(), /*full_size=*/true);
  fs::remove(place.checkpoint());

  fs::create_directory(place.path() / "faces");
  for (int i = 0; i < 3; ++i) {
    sdx::Image image(512, 512);
    for (std::size_t p = 0; p < image.rgb.size(); ++p) {
      image.rgb[p] =
          static_cast<std::uint8_t>((p * (static_cast<std::size_t>(i) + 3)) / 4001 % 256);
    }
    sdx::write_png(place.path() / "faces" / (std::to_string(i) + ".png"), image);
  }
  place.run("sdx-train",
            {"faces", "--name", "Ada", "--model", "models/full", "--steps", "3", "--batch", "1"});
  CHECK(fs::exists(place.path() / "embeddings/Ada.safetensors"));
  place.run("sdx-generate", {"<Ada> as an astronaut", "--model", "models/full", "--steps", "2",
                             "--size", "512x512", "--seed", "1"});
  CHECK(sdx::test::entries_in(place.path() / "pictures") == 1);
}

TEST_CASE("full: Stable Diffusion 2 computes what diffusers computes") {
  const FullSize place("sd2");
  const double checkpoint_bytes = static_cast<double>(fs::file_size(place.checkpoint()));
  const RunResult imported = place.import();
  CHECK(imported.peak_bytes < checkpoint_bytes + 1.074e9);
  fs::remove(place.checkpoint());
  sdx::test::check_parity(place.bundle(), place.model(), /*full_size=*/true);
}
