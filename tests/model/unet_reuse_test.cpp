#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/jit/api/module.h>

#include "sdx/model/unet.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/bare_unet.h"
#include "support/mini_bundle.h"
#include "support/tensors.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::test::noise;
using sdx::test::relative_difference;
using sdx::test::tiny_bundle;

namespace {

/// The tiny checkpoint with two layers a level, as Stable Diffusion has them: layers of the same
/// shape are there twice.
void write_two_layers(const fs::path& folder) {
  fs::copy(sdx::test::tiny_checkpoint(), folder, fs::copy_options::recursive);
  const fs::path config_file = folder / "unet/config.json";
  sdx::Json config = sdx::read_json_file(config_file);
  config["layers_per_block"] = 2;
  fs::remove(config_file);
  sdx::write_file_atomically(config_file, config.dump());

  const fs::path weights_file = folder / "unet/diffusion_pytorch_model.safetensors";
  const sdx::TensorMap one = sdx::map_safetensors(weights_file).tensors;
  sdx::TensorMap two;
  const auto copy = [&](const std::string& from, const std::string& to) {
    for (const auto& [name, tensor] : one) {
      if (name.starts_with(from)) two[to + name.substr(from.size())] = tensor.clone();
    }
  };
  copy("", "");
  copy("down_blocks.0.resnets.0.", "down_blocks.0.resnets.1.");
  copy("down_blocks.0.attentions.0.", "down_blocks.0.attentions.1.");
  copy("mid_block.resnets.0.", "down_blocks.1.resnets.1.");
  copy("up_blocks.0.resnets.0.", "up_blocks.0.resnets.1.");
  copy("up_blocks.0.resnets.1.", "up_blocks.0.resnets.2.");
  copy("up_blocks.1.resnets.1.", "up_blocks.1.resnets.2.");
  copy("up_blocks.1.attentions.1.", "up_blocks.1.attentions.2.");
  fs::remove(weights_file);
  sdx::write_safetensors(weights_file, two);
}

/// Sides that no level divides evenly, two rows.
void check_split(const sdx::Bundle& bundle) {
  INFO(bundle.info().name);
  const at::NoGradGuard no_grad;
  const sdx::UNet unet(bundle, {});
  const at::Tensor sample = noise(1, {2, bundle.info().latent_channels, 17, 14});
  const sdx::Conditioning context{noise(2, {2, 77, bundle.info().context_width()})};
  const at::Tensor timesteps = at::tensor({700, 20});
  const at::Tensor whole = unet.forward(sample, timesteps, context);

  const auto [output, features] = unet.forward_keeping(sample, timesteps, context);
  CHECK(at::equal(output, whole));
  CHECK(features.size(2) == 17);
  CHECK(features.size(3) == 14);
  CHECK(relative_difference(unet.forward_reusing(sample, timesteps, context, features), whole) <
        1e-6);

  const at::Tensor other =
      unet.forward_keeping(noise(3, sample.sizes()), timesteps, context).features;
  CHECK(relative_difference(unet.forward_reusing(sample, timesteps, context, other), whole) > 1e-3);
  const at::Tensor moved =
      unet.forward_reusing(noise(3, sample.sizes()), timesteps, context, features);
  CHECK(relative_difference(moved, whole) > 1e-3);
}

}  // namespace

TEST_CASE("model: shallow layers around the features of the same input are the whole pass",
          "[model]") {
  check_split(tiny_bundle());
  check_split(sdx::test::mini_bundle());
  const sdx::test::TempFolder folder;
  write_two_layers(folder.path() / "checkpoint");
  sdx::ImportOptions options;
  options.name = "two layers a level";
  sdx::import_checkpoint(folder.path() / "checkpoint", folder.path() / "bundle", options);
  check_split(sdx::Bundle::open(folder.path() / "bundle"));
}

TEST_CASE("model: reusing features needs the program's passes for it", "[model]") {
  const sdx::test::BareUNet bare;
  const sdx::UNet& unet = bare.unet;
  const at::Tensor sample = noise(1, {1, 4, 8, 8});
  const std::string message = sdx::test::catch_message<sdx::DataError>(
      [&] { unet.forward_keeping(sample, sample, {sample}); });
  CHECK(sdx::test::contains(message, "unet.ts: has no method \"forward_keeping\""));
  CHECK(sdx::test::contains(message, "import the model again"));
  CHECK(sdx::test::contains(message, "`reuse-features`"));
  CHECK_THROWS_AS(unet.forward_reusing(sample, sample, {sample}, sample), sdx::DataError);
  CHECK_THROWS_AS(unet.require_feature_reuse(), sdx::DataError);
}
