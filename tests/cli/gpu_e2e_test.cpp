// What only a GPU can show; skipped where there is none.

#include <cmath>
#include <sstream>

#include "sdx/image/decode.h"
#include "sdx/util/json.h"
#include "support/run.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::test::RunResult;
using sdx::test::TempFolder;

namespace {

constexpr int kUnavailable = 69;

struct Place {
  std::string device;
  std::string dtype;
};

RunResult run_on(const Place& place, const fs::path& folder, const std::string& tool,
                 std::vector<std::string> arguments) {
  sdx::test::Run command;
  command.tool = tool;
  command.arguments = std::move(arguments);
  for (const std::string& word : {std::string("--device"), place.device, std::string("--dtype"),
                                  place.dtype, std::string("--model"), std::string("mini")}) {
    command.arguments.push_back(word);
  }
  command.folder = folder;
  return sdx::test::run(command);
}

bool has_gpu() {
  const TempFolder folder;
  const std::vector<std::string> one_step = {"a robot", "--steps", "1"};
  return run_on({"cuda", "auto"}, folder.path(), "sdx-generate", one_step).exit_code !=
         kUnavailable;
}

/// All went well, and every recording of a GPU's work was good.
void check_well(const RunResult& result) {
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.find("started one by one") == std::string::npos);
}

/// With and without guidance, in two sizes, several at once.
std::vector<sdx::Image> images_on(const Place& place) {
  const TempFolder folder;
  check_well(run_on(place, folder.path(), "sdx-generate",
                    {"a robot, oil painting", "a portrait of a person, smiling", "--seed", "1",
                     "--count", "2", "--cfg-end", "0.5", "--hires", "1.5"}));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder.path() / "pictures")) {
    if (entry.path().extension() == ".png") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<sdx::Image> images;
  for (const fs::path& file : files) images.push_back(sdx::decode_image(file).image);
  return images;
}

double psnr_db(const sdx::Image& a, const sdx::Image& b) {
  REQUIRE(a.rgb.size() == b.rgb.size());
  double squares = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    squares += std::pow(static_cast<double>(a.rgb[i]) - b.rgb[i], 2);
  }
  return -10 * std::log10(squares / static_cast<double>(a.rgb.size()) / (255.0 * 255.0) + 1e-12);
}

/// The losses on the fixed batch.
std::vector<double> losses_on(const Place& place) {
  const TempFolder folder;
  check_well(run_on(place, folder.path(), "sdx-train",
                    {std::string(SDX_SOURCE_DIR) + "/configs/demo/portraits/ada", "--name", "Ada",
                     "--steps", "30"}));
  std::vector<double> losses;
  std::istringstream metrics(sdx::test::read_bytes(folder.path() / "runs/Ada/metrics.jsonl"));
  for (std::string line; std::getline(metrics, line);) {
    const sdx::Json json = sdx::Json::parse(line);
    if (json.contains("fixed_loss")) losses.push_back(json["fixed_loss"]);
  }
  return losses;
}

}  // namespace

TEST_CASE("e2e: a GPU draws what the processor draws") {
  if (!has_gpu()) SDX_SKIP("no GPU that libtorch can use");
  const auto expected = images_on({"cpu", "fp32"});
  REQUIRE(expected.size() == 4);
  const auto check_near = [&](const char* dtype, double least_db) {
    const auto found = images_on({"cuda", dtype});
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO(dtype << ", picture " << i);
      CHECK(psnr_db(found[i], expected[i]) > least_db);
    }
  };
  check_near("fp32", 45);
  check_near("fp16", 35);
}

TEST_CASE("e2e: a GPU learns as the processor does") {
  if (!has_gpu()) SDX_SKIP("no GPU that libtorch can use");
  const std::vector<double> expected = losses_on({"cpu", "fp32"});
  REQUIRE(expected.size() == 4);
  const auto check_near = [&](const char* dtype, double most) {
    const std::vector<double> found = losses_on({"cuda", dtype});
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO(dtype << ", measurement " << i);
      CHECK(std::abs(found[i] - expected[i]) < most * expected[i]);
    }
  };
  check_near("fp32", 0.01);
  check_near("fp16", 0.05);
}
