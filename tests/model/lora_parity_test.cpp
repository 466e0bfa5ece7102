// UNet and text encoders with a LoRA of each kind and layout against diffusers 0.42.1 and PEFT
// 0.21.2, and where they do not read it against the formula (scripts/parity/make_lora_goldens.py).

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"
#include "sdx/tensor/allocation_meter.h"
#include "support/lora_files.h"
#include "support/synthetic.h"
#include "support/tiny_bundle.h"
#include "support/tiny_sdxl.h"

#include "support/catch.h"

using namespace sdx;
using test::applied;
using test::lora_golden;
using test::max_difference;
using test::synthetic_noise;

namespace {

constexpr double kMost = 1e-4;
constexpr std::int64_t kKept = 19;  ///< of a text encoder's positions

struct Strength {
  double value;
  const char* text;
};

constexpr Strength kStrengths[] = {{0.8, "0.8"}, {-1, "-1"}};

at::Tensor kept(const at::Tensor& output) { return output.slice(1, 0, output.size(1), kKept); }

at::Tensor run_sd1_unet(const UNet& unet) {
  return unet.forward(synthetic_noise("lora.sample", {1, 4, 8, 8}), at::full({1}, 421, at::kLong),
                      {synthetic_noise("lora.context", {1, 77, 32})});
}

at::Tensor run_sdxl_unet(const UNet& unet) {
  Conditioning conditioning{synthetic_noise("lora.xl.context", {1, 77, 192}),
                            synthetic_noise("lora.xl.pooled", {1, 128}),
                            at::tensor({64.f, 64.f, 0.f, 0.f, 64.f, 64.f}).reshape({1, 6})};
  return unet.forward(synthetic_noise("lora.xl.sample", {1, 4, 8, 8}),
                      at::full({1}, 421, at::kLong), conditioning);
}

}  // namespace

TEST_CASE("model: a UNet and a text encoder with a LoRA of each kind are the reference's") {
  const at::NoGradGuard no_grad;
  const Bundle& bundle = test::tiny_bundle();
  UNet unet(bundle, {}, ModelUse::kInference);
  UNet training_unet(bundle, {}, ModelUse::kTraining);
  TextEncoders encoders(bundle, at::kCPU);
  const at::Tensor ids = at::arange(3, 80, at::kLong).reshape({1, 77});
  const auto run_text = [&] { return kept(encoders.front().encode(encoders.front().embed(ids))); };
  const at::Tensor plain = run_sd1_unet(unet);
  const at::Tensor plain_text = run_text();
  for (const char* name :
       {"sd1-kohya",        "sd1-alphas",    "sd1-half",      "sd1-bfloat16",
        "sd1-no-alpha",     "sd1-peft",      "sd1-processor", "sd1-original",
        "sd1-sgm",          "sd1-locon",     "sd1-core",      "sd1-loha",
        "sd1-loha-core",    "sd1-loha-dora", "sd1-lokr",      "sd1-lokr-whole",
        "sd1-lokr-product", "sd1-lokr-core", "sd1-dora-rows", "sd1-dora-columns"}) {
    for (const Strength& strength : kStrengths) {
      INFO(name << " " << strength.text);
      const AppliedLoras loras = {applied(name, strength.value)};
      CHECK(fit_lora(*loras.front().lora, bundle).layers == loras.front().lora->layers.size());
      unet.reload(bundle, loras);
      encoders.reload(bundle, loras);
      const std::string key = std::string(name) + "." + strength.text;
      const at::Tensor output = run_sd1_unet(unet);
      CHECK(max_difference(output, lora_golden().at(key + ".unet")) < kMost);
      CHECK(max_difference(output, plain) > 0.01);
      CHECK(max_difference(run_text(), lora_golden().at(key + ".text")) < kMost);
      training_unet.reload(bundle, loras);
      CHECK(max_difference(run_sd1_unet(training_unet), lora_golden().at(key + ".unet")) < kMost);
    }
  }
  unet.reload(bundle, {});
  encoders.reload(bundle, {});
  CHECK(at::equal(run_sd1_unet(unet), plain));
  CHECK(at::equal(run_text(), plain_text));
}

TEST_CASE("model: an SDXL with a LoRA of each layout is the reference's, in all of its parts") {
  const at::NoGradGuard no_grad;
  const Bundle& bundle = test::tiny_sdxl();
  UNet unet(bundle, {}, ModelUse::kInference);
  TextEncoders encoders(bundle, at::kCPU);
  at::Tensor ids = at::zeros({1, 77}, at::kLong);
  ids[0][0] = 49406;
  for (std::int64_t i = 0; i < 74; ++i) ids[0][i + 1] = 320 + i;
  ids[0][75] = 49407;
  ids[0][76] = 49407;
  for (const char* name : {"sdxl-sgm", "sdxl-kohya", "sdxl-peft", "sdxl-lokr"}) {
    for (const Strength& strength : kStrengths) {
      INFO(name << " " << strength.text);
      const AppliedLoras loras = {applied(name, strength.value)};
      unet.reload(bundle, loras);
      encoders.reload(bundle, loras);
      const std::string key = std::string(name) + "." + strength.text;
      CHECK(max_difference(run_sdxl_unet(unet), lora_golden().at(key + ".unet")) < kMost);
      const at::Tensor ends = at::full({1}, 75, at::kLong);
      const at::Tensor text = encoders[0].encode(encoders[0].embed(ids));
      const EncodedText second = encoders[1].encode_pooled(encoders[1].embed(ids), ends);
      CHECK(max_difference(kept(text), lora_golden().at(key + ".text")) < kMost);
      CHECK(max_difference(kept(second.output), lora_golden().at(key + ".text_2")) < kMost);
      CHECK(max_difference(second.pooled, lora_golden().at(key + ".pooled")) < kMost);
    }
  }
}

TEST_CASE("model: the sum of LoRAs does not depend on their order, and strengths add") {
  const at::NoGradGuard no_grad;
  const Bundle& bundle = test::tiny_bundle();
  UNet unet(bundle, {});
  const auto run = [&](const AppliedLoras& loras) {
    unet.reload(bundle, loras);
    return run_sd1_unet(unet);
  };
  const AppliedLora kohya = applied("sd1-kohya", 0.4);
  const AppliedLora dora = applied("sd1-dora-columns", 0.5);
  CHECK(max_difference(run({kohya, dora}), run({dora, kohya})) < 1e-5);
  CHECK(max_difference(run({kohya, kohya}), lora_golden().at("sd1-kohya.0.8.unet")) < kMost);

  AppliedLora text_only = applied("sd1-kohya", 0);
  text_only.text = 0.8;
  CHECK(at::equal(run({text_only}), run({})));
}

TEST_CASE("model: a LoRA changes its layers, copies those, and no other weight") {
  const Bundle& bundle = test::tiny_bundle();
  UNet plain(bundle, {});
  UNet unet(bundle, {});
  std::int64_t peak_bytes = 0;
  const AppliedLora locon = applied("sd1-locon", 0.8);
  {
    const AllocationMeter meter;
    unet.reload(bundle, {locon});
    peak_bytes = meter.peak_bytes();
  }
  const std::vector<at::Tensor> before = plain.parameters();
  const std::vector<at::Tensor> after = unet.parameters();
  std::size_t changed = 0;
  std::int64_t bytes = 0;
  std::int64_t largest = 0;
  REQUIRE(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (at::equal(before[i], after[i])) continue;
    ++changed;
    const auto size = static_cast<std::int64_t>(after[i].nbytes());
    bytes += size;
    largest = std::max(largest, size);
  }
  CHECK(changed == 10);  // see make_lora_goldens.py
  INFO(peak_bytes << " bytes at most, " << bytes << " changed");
  CHECK(peak_bytes >= bytes);
  CHECK(peak_bytes <= bytes + 4 * largest);  // one layer at a time is computed
  CHECK_NOTHROW(bundle.reread_file("unet.safetensors"));
}

TEST_CASE("model: float16 weights that compute in float32 lose nothing of a small difference") {
  const test::TempFolder folder;
  ImportOptions options;
  options.name = "half";
  options.dtype = WeightsDtype::kFp16;
  import_checkpoint(test::tiny_checkpoint(), folder.path() / "half", options);
  const Bundle half = Bundle::open(folder.path() / "half");
  const at::NoGradGuard no_grad;
  UNet unet(half, {});
  const at::Tensor plain = run_sd1_unet(unet);
  // A thousandth of the strength changes the output by about a thousandth of the change.
  unet.reload(half, {applied("sd1-locon", 0.001)});
  const at::Tensor little = run_sd1_unet(unet);
  unet.reload(half, {applied("sd1-locon", 0.002)});
  const at::Tensor twice = run_sd1_unet(unet);
  CHECK(max_difference((twice - plain) / 2, little - plain) < 1e-5);
  CHECK(max_difference(little, plain) > 2e-4);
}
