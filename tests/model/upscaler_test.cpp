// Upscalers in every layout against PyTorch's own modules; the files are made by
// scripts/parity/make_upscalers.py.

#include "sdx/model/upscaler.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "sdx/image/convert.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/catch.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

const fs::path kFiles = fs::path(SDX_TEST_DATA) / "upscalers";

const TensorMap& golden() {
  static const TensorMap kGolden = map_safetensors(kFiles / "golden.safetensors").tensors;
  return kGolden;
}

Upscaler load(const fs::path& file) { return {file, c10::Device(c10::DeviceType::CPU)}; }

/// The largest difference, for values of about 1.
double difference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return ((a - b).abs() / b.abs().clamp_min(1)).max().item<double>();
}

/// Why a file with these tensors is refused.
std::string catch_refusal(const TensorMap& tensors) {
  const TempFolder folder;
  const fs::path file = folder.file("a.safetensors");
  write_safetensors(file, tensors);
  return catch_message<DataError>([&] { load(file); });
}

}  // namespace

TEST_CASE("upscaler: every layout computes what PyTorch's modules compute", "[model]") {
  struct Case {
    const char* file;
    int scale;
  };
  const std::vector<Case> cases = {{"x4.safetensors", 4},
                                   {"x2.pth", 2},
                                   {"x1.safetensors", 1},
                                   {"renamed.pth", 4},
                                   {"numbered.pth", 4},
                                   {"numbered_x2.safetensors", 2},
                                   {"numbered_x1.safetensors", 1},
                                   {"compact_x4.pth", 4},
                                   {"compact_x2.safetensors", 2}};
  REQUIRE(golden().size() == cases.size() + 1);
  for (const Case& expected : cases) {
    INFO(expected.file);
    const Upscaler upscaler = load(kFiles / expected.file);
    CHECK(upscaler.scale() == expected.scale);
    const at::Tensor pixels = golden().at("pixels");
    const at::Tensor large = upscaler.run(pixels);
    CHECK(difference(large, golden().at(expected.file)) < 1e-4);
    // Tiles of a few pixels, smaller than what the filters reach, give the same.
    for (const int tile_px : {4, 7}) {
      CHECK(difference(upscaler.run(pixels, tile_px), large) < 1e-5);
    }
  }
}

TEST_CASE("upscaler: an image becomes as many times larger, whatever its sides", "[model]") {
  const at::Tensor pixels = golden().at("pixels");
  for (const char* file : {"x4.safetensors", "x2.pth", "compact_x2.safetensors"}) {
    INFO(file);
    const Upscaler upscaler = load(kFiles / file);
    const Image image = to_image(pixels * 2 - 1);
    const Image large = upscaler.enlarge(image);
    CHECK(large.width_px == image.width_px * upscaler.scale());
    CHECK(large.height_px == image.height_px * upscaler.scale());
    const Image expected = to_image(upscaler.run((to_tensor(image) + 1) / 2) * 2 - 1);
    int largest = 0;
    for (std::size_t i = 0; i < large.rgb.size(); ++i) {
      largest = std::max(largest, std::abs(large.rgb[i] - expected.rgb[i]));
    }
    CHECK(largest <= 1);
  }
}

TEST_CASE("upscaler: what is none is called what it is", "[model]") {
  const at::Tensor some = at::zeros({4, 4});
  CHECK(contains(catch_refusal({{"model.diffusion_model.input_blocks.0.0.weight", some}}),
                 "it is a checkpoint of Stable Diffusion"));
  CHECK(
      contains(catch_refusal({{"lora_unet_down_blocks_0.lora_up.weight", some}}), "it is a LoRA"));
  CHECK(contains(catch_refusal({{"emb_params", some}}), "it is an embedding"));
  CHECK(contains(catch_refusal({{"layers.0.residual_group.blocks.0.norm1.weight", some}}),
                 "another family"));
  CHECK(contains(catch_refusal({{"strange", some}}), "its tensors are others ('strange'"));
  CHECK(contains(catch_refusal({}), "it has no tensors"));
  const TempFolder folder;
  CHECK(contains(catch_message<DataError>([&] { load(folder.file("a", "<!DOCTYPE html>")); }),
                 "web page"));
  CHECK_THROWS_AS(load(folder.file("nowhere.pth")), MissingInputError);
}

TEST_CASE("upscaler: damaged weights are refused by name", "[model]") {
  const TensorMap whole = map_safetensors(kFiles / "x4.safetensors").tensors;
  const auto changed = [&whole](const std::string& name, const at::Tensor& tensor) {
    TensorMap tensors = whole;
    tensors[name] = tensor;
    return tensors;
  };
  const std::string name = "body.1.rdb2.conv3.weight";
  at::Tensor damaged = whole.at(name).clone();
  damaged.view(-1)[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(catch_refusal(changed(name, damaged)),
                 "'" + name + "' holds values that are not finite"));
  CHECK(contains(catch_refusal(changed(name, at::zeros({3, 12, 3, 4}))),
                 "'" + name + "': expected the shape [3,12,3,3], found [3,12,3,4]"));
  CHECK(contains(catch_refusal(changed("body.0.extra", at::zeros({1}))), "'body.0.extra'"));
  TensorMap less = whole;
  less.erase("conv_hr.bias");
  CHECK(contains(catch_refusal(less), "expected a tensor 'conv_hr.bias', which is not in it"));
  CHECK(contains(catch_refusal(changed("conv_first.weight", at::zeros({6, 4, 3, 3}))),
                 "expected a network of 3 channels of colour"));
  TensorMap compact = map_safetensors(kFiles / "compact_x2.safetensors").tensors;
  compact["body.8.weight"] = at::zeros({13, 6, 3, 3});
  CHECK(contains(catch_refusal(compact), "channels at its end"));
  compact.erase("body.8.weight");
  CHECK(contains(catch_refusal(compact), "even places"));
}

TEST_CASE("upscaler: a picture beyond the memory is refused before the work", "[model]") {
  const Upscaler upscaler = load(kFiles / "x4.safetensors");
  CHECK_NOTHROW(upscaler.require_memory(512, 512));
  const std::string message =
      catch_message<TryAgainError>([&] { upscaler.require_memory(500000, 400000); });
  CHECK(contains(message, "`upscale`: 2000000x1600000 pixels take about"));
}

TEST_CASE("upscaler: it is found by its name among the models", "[model]") {
  const TempFolder folder;
  CHECK(find_upscaler((kFiles / "x2.pth").string()) == kFiles / "x2.pth");
  const std::string message = catch_message<MissingInputError>([] { find_upscaler("nowhere_4x"); });
  CHECK(contains(message, "`upscale` nowhere_4x: no such file, nor one of this name in "));
  ::setenv("SDX_MODELS", folder.path().c_str(), 1);
  for (const char* name : {"4x_sharp.pth", "face.safetensors", "notes.txt"}) {
    write_file_atomically(folder.path() / name, "");
  }
  CHECK(find_upscaler("face") == folder.path() / "face.safetensors");
  const std::string misspelt = catch_message<MissingInputError>([] { find_upscaler("4x_shrap"); });
  CHECK(contains(misspelt, "; of the files there the nearest are 4x_sharp, face"));
  CHECK_FALSE(contains(misspelt, "notes"));
  ::unsetenv("SDX_MODELS");
  CHECK(upscaler_name("/models/4x_sharp.v2.pth") == "4x_sharp.v2");
  CHECK(upscaler_name("4x_sharp.v2") == "4x_sharp.v2");
}
