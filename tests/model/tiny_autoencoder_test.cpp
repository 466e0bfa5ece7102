// TAESD in every naming against diffusers' AutoencoderTiny; the files are made by
// scripts/parity/make_taesd_goldens.py.

#include "sdx/model/tiny_autoencoder.h"

#include <ATen/ops/zeros.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

const fs::path kFiles = fs::path(SDX_TEST_DATA) / "taesd";

const TensorMap& golden() {
  static const TensorMap kGolden = map_safetensors(kFiles / "golden.safetensors").tensors;
  return kGolden;
}

TinyAutoencoder load(const fs::path& file) {
  return {find_tiny_autoencoder(file.string(), "vae-approx"), c10::Device(c10::DeviceType::CPU)};
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return (a - b).abs().max().item<double>();
}

/// Why a file with these tensors is refused.
std::string catch_refusal(const TensorMap& tensors) {
  const TempFolder folder;
  const fs::path file = folder.file("a.safetensors");
  write_safetensors(file, tensors);
  return catch_message<DataError>([&] { load(file); });
}

TensorMap decoder_tensors() {
  return map_safetensors(kFiles / "taesd_decoder.safetensors").tensors;
}

}  // namespace

TEST_CASE("tiny autoencoder: every naming computes what diffusers computes", "[model]") {
  struct Case {
    const char* file;
    bool has_encoder;
  };
  for (const Case& expected : std::vector<Case>{{"taesd_decoder.safetensors", false},
                                                {"taesd_decoder.pth", false},
                                                {"both.safetensors", true},
                                                {"comfy.safetensors", true},
                                                {"folder", true}}) {
    INFO(expected.file);
    const TinyAutoencoder tiny = load(kFiles / expected.file);
    CHECK(tiny.latent_channels() == 4);
    CHECK(tiny.factor() == 8);
    CHECK(tiny.has_encoder() == expected.has_encoder);
    CHECK(difference(tiny.decode(golden().at("latents")), golden().at("decoded")) < 1e-4);
    if (!expected.has_encoder) continue;
    CHECK(difference(tiny.encode(golden().at("images")), golden().at("encoded")) < 1e-4);
  }
}

TEST_CASE("tiny autoencoder: what is none is refused, with what it is", "[model]") {
  const auto refusal = [](const fs::path& file) {
    return catch_message<DataError>([&] { load(file); });
  };
  CHECK_THAT(refusal(kFiles / "taesd_encoder.safetensors"),
             Catch::Matchers::ContainsSubstring("it is the encoder of a tiny autoencoder"));
  const std::vector<std::pair<const char*, const char*>> others = {
      {"first_stage_model.decoder.conv_in.weight", "a checkpoint of Stable Diffusion, or its"},
      {"decoder.conv_in.weight", "a whole autoencoder (VAE)"},
      {"lora_unet_mid_block.lora_up.weight", "a LoRA"},
      {"body.0.weight", "an upscaler"},
      {"emb_params", "an embedding"},
      {"x", "its tensors are others (\"x\", …)"}};
  for (const auto& [name, what] : others) {
    INFO(name);
    const std::string message = catch_refusal({{name, at::zeros({1, 1, 3, 3})}});
    CHECK(contains(message, "no tiny autoencoder (TAESD): "));
    CHECK(contains(message, what));
  }
  CHECK(contains(catch_refusal({}), "it has no tensors"));
}

TEST_CASE("tiny autoencoder: damaged weights are named", "[model]") {
  const auto with = [](const std::string& name, const at::Tensor& tensor) {
    TensorMap tensors = decoder_tensors();
    tensors[name] = tensor;
    return catch_refusal(tensors);
  };
  const auto without = [](const std::string& name) {
    TensorMap tensors = decoder_tensors();
    REQUIRE(tensors.erase(name) == 1);
    return catch_refusal(tensors);
  };
  at::Tensor bad = decoder_tensors().at("12.weight").clone();
  bad[0][0][1][1] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(with("12.weight", bad), "'12.weight' holds values that are not finite"));
  CHECK(contains(with("4.conv.2.weight", at::zeros({5, 4, 3, 3})),
                 "'4.conv.2.weight': expected the shape [5,5,3,3], found [5,4,3,3]"));
  CHECK(contains(with("19.weight", at::zeros({4, 5, 3, 3})),
                 "'19.weight': expected the shape [3,5,3,3], found [4,5,3,3]"));
  CHECK(contains(with("19.bias", at::zeros({4})), "'19.bias': expected the shape [3], found [4]"));
  CHECK(contains(with("1.weight", at::zeros({5, 4, 3, 3}, at::kLong)), "no floating-point"));
  CHECK(contains(with("12.extra", at::zeros({1})), "'12.extra' that TAESD has not"));
  CHECK(contains(without("4.conv.4.weight"), "expected a tensor '4.conv.4.weight'"));
  CHECK(contains(without("4.conv.4.bias"), "expected a tensor '4.conv.4.bias'"));
  CHECK(contains(without("1.bias"), "expected a tensor '1.bias'"));
}

TEST_CASE("tiny autoencoder: diffusers' folder says what it is", "[model]") {
  const TempFolder place;
  const fs::path folder = place.path() / "taesd";
  fs::copy(kFiles / "folder", folder);
  const auto refusal = [&](const std::string& config) {
    std::ofstream(folder / "config.json") << config;
    return catch_message<DataError>([&] { load(folder); });
  };
  CHECK(contains(refusal(R"({"_class_name": "AutoencoderKL"})"),
                 "_class_name: expected AutoencoderTiny, found \"AutoencoderKL\""));
  CHECK(contains(refusal(R"({"act_fn": "silu"})"), "act_fn: expected relu"));
  CHECK(contains(refusal(R"({"scaling_factor": 0.3611})"), "scaling_factor: expected 1"));
  CHECK(contains(refusal(R"({"shift_factor": 0.1})"), "shift_factor: expected 0"));
  fs::remove(folder / "diffusion_pytorch_model.safetensors");
  CHECK(contains(catch_message<DataError>([&] { load(folder); }),
                 "diffusion_pytorch_model.safetensors is not in it"));
  CHECK(contains(catch_message<MissingInputError>([&] { load(place.path() / "nothere"); }),
                 "no such file, nor one of this name in "));
}
