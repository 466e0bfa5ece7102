// Two people in one picture of the built-in model: --refine-faces gives each face its own name.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "sdx/model/identity_network.h"
#include "support/mini_bundle.h"
#include "support/run.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::test::RunResult;
using Words = std::vector<std::string>;

namespace {

const fs::path kYuNet = fs::path(SDX_SHARED_DATA) / "models" / "face_detection_yunet_2022mar.onnx";

RunResult run(const fs::path& folder, const std::string& tool, Words arguments) {
  sdx::test::Run command;
  command.tool = tool;
  command.arguments = std::move(arguments);
  command.folder = folder;
  command.prepare = [] { ::setenv("SDX_FACE_DETECTOR", kYuNet.c_str(), 1); };
  return sdx::test::run(command);
}

std::vector<sdx::Image> read_pictures(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<sdx::Image> images;
  for (const fs::path& file : files) images.push_back(sdx::decode_image(file).image);
  return images;
}

}  // namespace

TEST_CASE("e2e: faces of strangers become those of the names, each its own", "[needs-data]") {
  if (!fs::exists(kYuNet)) SDX_SKIP("the face detector in shared/data is not here");
  const sdx::test::TempFolder folder;
  const auto network =
      sdx::IdentityNetwork::load(sdx::test::mini_bundle(), c10::Device(c10::DeviceType::CPU));
  REQUIRE(network != nullptr);
  std::vector<std::vector<float>> persons;
  for (const char* name : {"Ada", "Ben"}) {
    std::string lower = name;
    lower[0] = static_cast<char>(lower[0] + 32);
    const fs::path portraits = sdx::test::demo_folder() / lower;
    REQUIRE(run(folder.path(), "sdx-train", {portraits.string(), "--name", name, "--quiet"})
                .exit_code == 0);
    std::vector<std::vector<float>> seen;
    for (const sdx::Image& portrait : read_pictures(portraits)) {
      seen.push_back(*network->encode(portrait));
    }
    persons.push_back(sdx::unit_mean(seen));
  }
  // Without and with; Ada stands at the left, Ben at the right.
  std::vector<std::vector<double>> likeness;
  for (const Words& more :
       {Words{}, Words{"--refine-faces", "--face-share", "0.3", "--face-padding", "10",
                       "--face-strength", "0.6", "--face-prompt", "{name}"}}) {
    const std::string out = "out" + std::to_string(likeness.size());
    // The names come after all has been drawn, so only the pass over the faces can show them.
    Words arguments = {"[a woman and a man:<Ada> and <Ben>:0.95]",
                       "--sampler",
                       "dpmpp_2m",
                       "--seed",
                       "5",
                       "--count",
                       "24",
                       "--quiet",
                       "--out",
                       out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult made = run(folder.path(), "sdx-generate", arguments);
    INFO(made.err);
    REQUIRE(made.exit_code == 0);
    std::vector<double> sums(2);
    for (const sdx::Image& image : read_pictures(folder.path() / out)) {
      for (int side = 0; side < 2; ++side) {
        const auto face = network->encode(sdx::crop(image, {64 * side, 40, 64, 64}));
        sums[static_cast<std::size_t>(side)] +=
            sdx::cosine(*face, persons[static_cast<std::size_t>(side)]) / 24;
      }
    }
    likeness.push_back(sums);
  }
  WARN("likeness of Ada: " << likeness[0][0] << " without, " << likeness[1][0]
                           << " with; of Ben: " << likeness[0][1] << ", " << likeness[1][1]);
  for (std::size_t side = 0; side < 2; ++side) {
    CHECK(likeness[1][side] > likeness[0][side] + 0.1);
  }
}
