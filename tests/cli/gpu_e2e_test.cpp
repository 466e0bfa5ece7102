// What only a GPU can show; skipped where there is none.

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "sdx/device/device.h"
#include "sdx/device/recorded_call.h"
#include "sdx/image/decode.h"
#include "sdx/tensor/safetensors.h"
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

using Words = std::vector<std::string>;

/// With and without guidance, in two sizes, several at once.
Words two_sizes() {
  return {"a robot, oil painting",
          "a portrait of a person, smiling",
          "--seed",
          "1",
          "--count",
          "2",
          "--cfg-end",
          "0.5",
          "--hires",
          "1.5"};
}

std::vector<sdx::Image> images_on(const Place& place, const Words& arguments,
                                  const std::string& prompts = "") {
  const TempFolder folder;
  if (!prompts.empty()) std::ofstream(folder.path() / "prompts.txt") << prompts;
  check_well(run_on(place, folder.path(), "sdx-generate", arguments));
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

/// The start is given: one that is searched for could be another word in another precision.
Words learn_ada(const Words& more) {
  Words words = {std::string(SDX_SOURCE_DIR) + "/configs/demo/portraits/ada", "--name", "Ada",
                 "--init", "person"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// The losses on the fixed batch.
std::vector<double> losses_on(const Place& place, const std::string& memory = "normal") {
  const TempFolder folder;
  check_well(
      run_on(place, folder.path(), "sdx-train", learn_ada({"--steps", "30", "--memory", memory})));
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
  const auto expected = images_on({"cpu", "fp32"}, two_sizes());
  REQUIRE(expected.size() == 4);
  const auto check_near = [&](const char* dtype, double least_db) {
    const auto found = images_on({"cuda", dtype}, two_sizes());
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
  const auto check_near = [&](const char* dtype, double most, const char* memory = "normal") {
    const std::vector<double> found = losses_on({"cuda", dtype}, memory);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO(dtype << ", measurement " << i);
      CHECK(std::abs(found[i] - expected[i]) < most * expected[i]);
    }
  };
  check_near("fp32", 0.01);
  check_near("fp16", 0.05);
  check_near("fp16", 0.05, "low");
}

TEST_CASE("e2e: a GPU's first gradient is the processor's") {
  if (!has_gpu()) SDX_SKIP("no GPU that libtorch can use");
  const auto gradient_on = [](const Place& place, const char* memory) {
    const TempFolder folder;
    check_well(run_on(place, folder.path(), "sdx-train",
                      learn_ada({"--steps", "2", "--milestone-steps", "0", "--memory", memory,
                                 "--trace", "trace.safetensors", "--trace-steps", "1"})));
    return sdx::map_safetensors(folder.path() / "trace.safetensors")
        .tensors.at("step.0.gradient")
        .clone();
  };
  const at::Tensor expected = gradient_on({"cpu", "fp32"}, "normal");
  const double size = expected.norm().item<double>();
  REQUIRE(size > 0);
  const auto check_near = [&](const char* dtype, double most, const char* memory) {
    INFO(dtype << ", " << memory);
    CHECK(gradient_on({"cuda", dtype}, memory).sub(expected).norm().item<double>() < most * size);
  };
  check_near("fp32", 0.01, "normal");
  check_near("fp16", 0.03, "normal");
  check_near("fp16", 0.03, "low");
}

TEST_CASE("e2e: a GPU reuses features as the processor does") {
  if (!has_gpu()) SDX_SKIP("no GPU that libtorch can use");
  const Words reusing = {"a robot", "--seed", "1", "--steps", "12", "--reuse-features", "3"};
  const auto expected = images_on({"cpu", "fp32"}, reusing);
  const auto found = images_on({"cuda", "fp32"}, reusing);
  REQUIRE(expected.size() == 1);
  REQUIRE(found.size() == 1);
  CHECK(psnr_db(found[0], expected[0]) > 45);
}

TEST_CASE("e2e: a GPU records while another thread decodes") {
  if (!has_gpu()) SDX_SKIP("no GPU that libtorch can use");
  std::string prompts;
  for (const char* size : {"128x128", "128x192", "192x128", "192x192", "256x128"}) {
    for (const char* seed : {"1", "2"}) {
      prompts += std::string("--prompt \"a robot\" --size ") + size + " --seed " + seed + "\n";
    }
  }
  const auto images_with = [&](const char* threads) {
    return images_on(
        {"cuda", "fp16"},
        {"--prompts", "prompts.txt", "--batch", "1", "--steps", "6", "--threads", threads},
        prompts);
  };
  const auto beside = images_with("2");
  const auto alone = images_with("1");  // decodes before it goes on
  REQUIRE(beside.size() == 10);
  REQUIRE(alone.size() == 10);
  for (std::size_t i = 0; i < alone.size(); ++i) CHECK(beside[i].rgb == alone[i].rgb);
}

TEST_CASE("e2e: a recording that fails on a GPU leaves nothing behind") {
  if (!has_gpu()) SDX_SKIP("no GPU that libtorch can use");
  const c10::Device gpu("cuda:0");
  const sdx::GraphFactory graphs = sdx::graph_factory(gpu);
  if (!graphs) SDX_SKIP("a build without recordings");
  const auto on_gpu = at::TensorOptions().device(gpu);
  sdx::release_unused_memory(gpu);
  const std::int64_t used = sdx::used_bytes(gpu);
  const std::int64_t peak = sdx::peak_bytes(gpu);
  for (int i = 0; i < 3; ++i) {
    const auto graph = graphs(nullptr);
    // Waiting for the device is what a recording forbids, after 400 MB were taken for it.
    CHECK_THROWS_AS(graph->record([&] { at::ones({100'000'000}, on_gpu).sum().item<float>(); }),
                    c10::Error);
    sdx::release_unused_memory(gpu);  // asserts in libtorch while it believes in a recording
    CHECK(sdx::used_bytes(gpu) == used);
  }
  CHECK(sdx::peak_bytes(gpu) < peak + 900'000'000);

  // The next one is made all the same, and its memory comes back too.
  {
    const at::NoGradGuard no_grad;
    at::Tensor place = at::ones({1000}, on_gpu);
    at::Tensor sum;
    const auto graph = graphs(nullptr);
    const auto work = [&] { sum = place.sum(); };
    graph->rehearse(work);
    graph->record(work);
    place.mul_(3);
    graph->replay();
    CHECK(sum.item<float>() == 3000);
  }
  sdx::release_unused_memory(gpu);
  CHECK(sdx::used_bytes(gpu) == used);
}
