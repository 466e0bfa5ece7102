#include "sdx/model/import/import.h"

#include <ATen/ops/zeros.h>

#include "sdx/model/text_encoder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

namespace {

/// A copy of the tiny checkpoint that a test may change, and the import of it.
struct Checkpoint {
  TempFolder folder;
  fs::path path = folder.path() / "checkpoint";

  Checkpoint() { fs::copy(sdx::test::tiny_checkpoint(), path, fs::copy_options::recursive); }

  void change_config(const std::string& part, const std::string& key,
                     const sdx::Json& value) const {
    const fs::path file = path / part / "config.json";
    sdx::Json config = sdx::read_json_file(file);
    config[key] = value;
    fs::remove(file);
    sdx::write_file_atomically(file, config.dump());
  }

  template <typename Change>
  void change_unet(Change&& change) const {
    const fs::path file = path / "unet/diffusion_pytorch_model.safetensors";
    sdx::TensorMap tensors = sdx::map_safetensors(file).tensors;
    change(tensors);
    sdx::write_safetensors(file, tensors);
  }

  sdx::BundleInfo import(bool replace = false) const {
    sdx::ImportOptions options;
    options.name = "copy";
    options.replace = replace;
    return sdx::import_checkpoint(path, folder.path() / "bundle", options).info;
  }

  /// The message with which the import is refused; nothing of it may stay behind.
  std::string refusal() const {
    try {
      import();
    } catch (const sdx::Error& error) {
      CHECK_FALSE(fs::exists(folder.path() / "bundle"));
      CHECK(sdx::test::entries_in(folder.path()) == 1);
      return error.what();
    }
    return "accepted";
  }
};

}  // namespace

TEST_CASE("model: an import says what the model is", "[model]") {
  const sdx::BundleInfo& info = sdx::test::tiny_bundle().info();
  CHECK(info.family == sdx::ModelFamily::kSd1);
  CHECK(info.context_width() == 32);
  CHECK(info.text_layers() == 3);
  CHECK(info.vae_factor == 8);
  CHECK(info.dtype == "fp32");
  CHECK(info.origin == "tiny");
  CHECK(info.sha256.size() == 8);
}

TEST_CASE("model: a tensor that is missing, misshapen or unknown is named", "[model]") {
  {
    const Checkpoint checkpoint;
    checkpoint.change_unet([](sdx::TensorMap& t) { t.erase("mid_block.resnets.0.conv1.weight"); });
    CHECK_THAT(checkpoint.refusal(),
               ContainsSubstring(
                   "\"mid_block.resnets.0.conv1.weight\" is missing; expected shape [32,32,3,3]"));
  }
  {
    const Checkpoint checkpoint;
    checkpoint.change_unet([](sdx::TensorMap& t) { t["conv_in.bias"] = at::zeros({7}); });
    CHECK_THAT(checkpoint.refusal(),
               ContainsSubstring("\"conv_in.bias\": expected shape [16], found [7]"));
  }
  {
    const Checkpoint checkpoint;
    checkpoint.change_unet([](sdx::TensorMap& t) { t["conv_extra.bias"] = at::zeros({7}); });
    CHECK_THAT(checkpoint.refusal(), ContainsSubstring("\"conv_extra.bias\" is unknown"));
  }
}

TEST_CASE("model: another anatomy is refused by its config", "[model]") {
  const auto refused = [](const char* part, const char* key, const sdx::Json& value) {
    const Checkpoint checkpoint;
    checkpoint.change_config(part, key, value);
    return checkpoint.refusal();
  };
  CHECK_THAT(refused("unet", "in_channels", 9),
             ContainsSubstring("in_channels: expected 4, found 9"));
  CHECK_THAT(refused("unet", "addition_embed_type", "text_time"),
             ContainsSubstring("addition_embed_type"));
  CHECK_THAT(refused("unet", "cross_attention_dim", 64), ContainsSubstring("cross_attention_dim"));
  CHECK_THAT(refused("unet", "down_block_types", {"AttnDownBlock2D", "DownBlock2D"}),
             ContainsSubstring("down_block_types"));
  CHECK_THAT(refused("unet", "norm_num_groups", 5),
             ContainsSubstring("cannot be cut into 5 groups"));
  CHECK_THAT(refused("unet", "attention_head_dim", 3),
             ContainsSubstring("cannot be cut into 3 heads"));
  CHECK_THAT(refused("text_encoder", "num_attention_heads", 5),
             ContainsSubstring("cannot be cut into 5 heads"));
  CHECK_THAT(refused("vae", "latent_channels", 16), ContainsSubstring("latent_channels"));
  CHECK_THAT(refused("text_encoder", "hidden_act", "relu"), ContainsSubstring("hidden_act"));
}

TEST_CASE("model: files that are missing are named", "[model]") {
  for (const char* file :
       {"model_index.json", "unet/config.json", "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/spiece.model", "scheduler/scheduler_config.json"}) {
    const Checkpoint checkpoint;
    fs::remove(checkpoint.path / file);
    CHECK_THAT(checkpoint.refusal(), ContainsSubstring(fs::path(file).filename().string()));
  }
}

TEST_CASE("model: the scheduler's settings that are the model's own are taken over", "[model]") {
  const auto imported = [](const sdx::Json& changes) {
    const Checkpoint checkpoint;
    const fs::path file = checkpoint.path / "scheduler/scheduler_config.json";
    sdx::Json config = sdx::read_json_file(file);
    config.update(changes);
    sdx::write_file_atomically(file, config.dump());
    return checkpoint.import().noise_schedule;
  };
  const auto zero_snr = imported({{"rescale_betas_zero_snr", true},
                                  {"prediction_type", "v_prediction"},
                                  {"timestep_spacing", "trailing"}});
  CHECK(zero_snr.zero_terminal_snr);
  CHECK(zero_snr.timestep_spacing == sdx::TimestepSpacing::kTrailing);
  // What every file of that class says.
  CHECK_FALSE(imported({{"timestep_spacing", "leading"}}).timestep_spacing);
  CHECK(imported({{"prediction_type", "sample"}}).prediction_type == sdx::PredictionType::kSample);
}

TEST_CASE("model: keys of transformers 4 are the same tensors", "[model]") {
  const Checkpoint checkpoint;
  const fs::path file = checkpoint.path / "text_encoder/model.safetensors";
  sdx::TensorMap old_names;
  for (const auto& [name, tensor] : sdx::map_safetensors(file).tensors) {
    old_names["text_model." + name] = tensor;
  }
  old_names["text_model.embeddings.position_ids"] = at::zeros({1, 77}, at::kLong);
  sdx::write_safetensors(file, old_names);
  checkpoint.import();
  const sdx::Bundle bundle = sdx::Bundle::open(checkpoint.folder.path() / "bundle");
  const sdx::TextEncoder encoder(bundle, c10::DeviceType::CPU);
  const at::Tensor out = encoder.encode(encoder.embed(sdx::test::golden().at("text.ids")));
  CHECK(sdx::test::max_difference(out, sdx::test::golden().at("text.out.0")) < 1e-4);
}

TEST_CASE("model: sdx.json in a checkpoint recommends settings", "[model]") {
  const Checkpoint checkpoint;
  sdx::write_file_atomically(checkpoint.path / "sdx.json",
                             R"({"licence": "MIT", "guidance_scale": 3.5, "init_text": "robot"})");
  const sdx::BundleInfo info = checkpoint.import();
  CHECK(info.licence == "MIT");
  CHECK(info.guidance_scale == 3.5);
  CHECK(info.init_text == "robot");
}

TEST_CASE("model: an existing bundle is replaced only when asked", "[model]") {
  const Checkpoint checkpoint;
  checkpoint.import();
  CHECK_THROWS_AS(checkpoint.import(), sdx::CannotCreateError);
  CHECK(checkpoint.import(true).name == "copy");
}
