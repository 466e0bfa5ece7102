#include "sdx/model/import/import.h"

#include <ATen/ops/zeros.h>

#include <tuple>
#include <vector>

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
    const fs::path file =
        path / part / (part == "scheduler" ? "scheduler_config.json" : "config.json");
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

  sdx::ImportReport report(bool replace = false) const {
    sdx::ImportOptions options;
    options.name = "copy";
    options.replace = replace;
    return sdx::import_checkpoint(path, folder.path() / "bundle", options);
  }

  sdx::BundleInfo import(bool replace = false) const { return report(replace).info; }

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
  CHECK_THAT(refused("unet", "in_channels", 8),
             ContainsSubstring("image-editing") && ContainsSubstring("8 channels"));
  CHECK_THAT(refused("unet", "addition_embed_type", "image"),
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

TEST_CASE("model: every key that changes what a model computes is looked at", "[model]") {
  struct Case {
    const char* part;
    const char* key;
    sdx::Json value;
  };
  const std::vector<Case> cases = {
      {"unet", "mid_block_scale_factor", 1.5},
      {"unet", "timestep_post_act", "silu"},
      {"unet", "time_embedding_act_fn", "silu"},
      {"unet", "time_embedding_dim", 128},
      {"unet", "resnet_out_scale_factor", 1.4},
      {"unet", "resnet_skip_time_act", true},
      {"unet", "conv_in_kernel", 1},
      {"unet", "conv_out_kernel", 1},
      {"unet", "attention_type", "gated"},
      {"unet", "encoder_hid_dim_type", "text_proj"},
      {"unet", "cross_attention_norm", "layer_norm"},
      {"unet", "mid_block_only_cross_attention", true},
      {"unet", "reverse_transformer_layers_per_block", "deep"},
      {"unet", "only_cross_attention", {false, true}},
      {"unet", "act_fn", "gelu"},
      {"vae", "shift_factor", 0.1},
      {"vae", "latents_mean", {0, 0, 0}},
      {"vae", "latents_std", {1, 0, 1, 1}},
      {"vae", "down_block_types", {"DownEncoderBlock2D", "AttnDownEncoderBlock2D"}},
      {"vae", "act_fn", "mish"},
      {"text_encoder", "model_type", "t5"},
      {"scheduler", "thresholding", true},
      {"scheduler", "use_flow_sigmas", true},
      {"scheduler", "timestep_type", "continuous"},
      {"scheduler", "trained_betas", {0.1, 0.2}},
      {"scheduler", "beta_start", 0},
      {"scheduler", "beta_end", 1.5},
      {"scheduler", "beta_end", 0.0001},
      {"scheduler", "num_train_timesteps", 0},
      {"scheduler", "rescale_betas_zero_snr", true},
      {"scheduler", "beta_schedule", "edm"},
  };
  for (const Case& each : cases) {
    INFO(each.key);
    const Checkpoint checkpoint;
    checkpoint.change_config(each.part, each.key, each.value);
    CHECK_THAT(checkpoint.refusal(), ContainsSubstring("config.json: " + std::string(each.key)));
  }
}

TEST_CASE("model: keys of diffusers that say the same in another way are read", "[model]") {
  const Checkpoint plain;
  const auto expected = plain.import().sha256;
  const std::vector<std::tuple<const char*, const char*, sdx::Json>> cases = {
      {"unet", "only_cross_attention", {false, false}},
      {"unet", "layers_per_block", {1, 1}},
      {"unet", "transformer_layers_per_block", {1, 1}},
      {"unet", "cross_attention_dim", {32, 32}},
      {"unet", "attention_head_dim", {2, 2}},
      {"unet", "sample_size", {8, 8}},
      {"unet", "act_fn", "swish"},
      {"unet", "time_embedding_dim", 64},
      {"unet", "mid_block_scale_factor", 1.0},
      {"unet", "mid_block_only_cross_attention", false},
      {"unet", "dropout", 0.1},
      {"unet", "upcast_attention", true},
      {"unet", "something_new", 7},
      {"vae", "act_fn", "swish"},
      {"vae", "shift_factor", 0.0},
      {"vae", "layers_per_block", {1}},
      {"vae", "something_new", {{"a", nullptr}}},
      {"text_encoder", "model_type", "clip"},
      {"text_encoder", "projection_dim", 768},
      {"scheduler", "trained_betas", sdx::Json::array()},
      {"scheduler", "clip_sample", true},
      {"scheduler", "set_alpha_to_one", true},
      {"scheduler", "_class_name", "EulerDiscreteScheduler"}};
  for (const auto& [part, key, value] : cases) {
    INFO(part << " " << key);
    const Checkpoint checkpoint;
    checkpoint.change_config(part, key, value);
    const sdx::BundleInfo info = checkpoint.import();
    CHECK(info.sha256 == expected);
    CHECK(info.native_size_px == 64);
  }
  const Checkpoint unsaid;
  unsaid.change_config("unet", "sample_size", nullptr);
  CHECK(unsaid.import().native_size_px == 512);
  const Checkpoint wide;
  wide.change_config("unet", "sample_size", {96, 64});
  CHECK(wide.import().native_size_px == 512);
}

TEST_CASE("model: a value of another kind is named with its file and key", "[model]") {
  const std::vector<std::tuple<const char*, const char*, sdx::Json>> cases = {
      {"unet", "layers_per_block", {1, 2}},
      {"unet", "layers_per_block", "1"},
      {"unet", "layers_per_block", 1.5},
      {"unet", "layers_per_block", nullptr},
      {"unet", "layers_per_block", sdx::Json::array()},
      {"unet", "block_out_channels", 32},
      {"unet", "block_out_channels", sdx::Json::array()},
      {"unet", "block_out_channels", {16.5, 32}},
      {"unet", "block_out_channels", {0, 32}},
      {"unet", "block_out_channels", nullptr},
      {"unet", "cross_attention_dim", {{"a", 1}}},
      {"unet", "norm_num_groups", nullptr},
      {"unet", "norm_eps", "1e-5"},
      {"unet", "use_linear_projection", 0},
      {"unet", "sample_size", {8, 8, 8}},
      {"unet", "sample_size", "8"},
      {"unet", "down_block_types", "DownBlock2D"},
      {"unet", "up_block_types", {1, 2}},
      {"vae", "block_out_channels", "16"},
      {"vae", "scaling_factor", {0.18}},
      {"text_encoder", "hidden_size", {32}},
      {"text_encoder", "hidden_act", {"gelu"}},
      {"text_encoder", "num_hidden_layers", nullptr},
      {"scheduler", "beta_schedule", {"linear"}},
      {"scheduler", "beta_schedule", "cosine"},
      {"scheduler", "beta_schedule", nullptr},
      {"scheduler", "beta_start", "0.1"},
      {"scheduler", "steps_offset", {1}},
      {"scheduler", "prediction_type", 1},
      {"scheduler", "prediction_type", "x"}};
  for (const auto& [part, key, value] : cases) {
    INFO(part << " " << key << " " << value.dump());
    const Checkpoint checkpoint;
    checkpoint.change_config(part, key, value);
    const std::string message = checkpoint.refusal();
    CHECK_THAT(message, ContainsSubstring("config.json: "));
    CHECK_THAT(message, ContainsSubstring(key));
    CHECK_THAT(message, !ContainsSubstring("exception"));
  }
  for (const char* config : {"[]", "null", "3", "\"x\""}) {
    INFO(config);
    const Checkpoint checkpoint;
    sdx::write_file_atomically(checkpoint.path / "unet/config.json", config);
    CHECK_THAT(checkpoint.refusal(), ContainsSubstring("unet/config.json: expected an object"));
  }
  for (const char* index : {"{}", "[]", R"({"_class_name": null})", R"({"_class_name": ["a"]})",
                            R"({"_class_name": 3})"}) {
    INFO(index);
    const Checkpoint checkpoint;
    sdx::write_file_atomically(checkpoint.path / "model_index.json", index);
    const std::string message = checkpoint.refusal();
    CHECK_THAT(message, ContainsSubstring("model_index.json: "));
    CHECK_THAT(message, !ContainsSubstring("exception"));
  }
}

TEST_CASE("model: pipelines that use the same parts in another way are imported, and said",
          "[model]") {
  const Checkpoint plain;
  const auto expected = plain.import().sha256;
  for (const char* kind : {"StableDiffusionImg2ImgPipeline", "StableDiffusionPanoramaPipeline",
                           "StableDiffusionSAGPipeline"}) {
    const Checkpoint checkpoint;
    sdx::write_file_atomically(checkpoint.path / "model_index.json",
                               sdx::Json{{"_class_name", kind}}.dump());
    const sdx::ImportReport report = checkpoint.report();
    CHECK(report.info.sha256 == expected);
    REQUIRE(report.remarks.size() == 1);
    CHECK_THAT(report.remarks.front(), ContainsSubstring(kind));
  }
}

TEST_CASE("model: the scheduler's offset is diffusers' pipeline's, whatever is said", "[model]") {
  const Checkpoint unsaid;
  const fs::path file = unsaid.path / "scheduler/scheduler_config.json";
  sdx::Json config = sdx::read_json_file(file);
  config.erase("steps_offset");
  sdx::write_file_atomically(file, config.dump());
  const sdx::ImportReport report = unsaid.report();
  CHECK(report.info.noise_schedule.steps_offset == 1);
  CHECK(report.remarks.empty());
  // StableDiffusionPipeline of diffusers 0.42 sets it to 1 with a warning.
  const Checkpoint outdated;
  outdated.change_config("scheduler", "steps_offset", 0);
  const sdx::ImportReport corrected = outdated.report();
  CHECK(corrected.info.noise_schedule.steps_offset == 1);
  REQUIRE(corrected.remarks.size() == 1);
  CHECK_THAT(corrected.remarks.front(), ContainsSubstring("steps_offset 0"));
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
                             R"({"licence": "MIT", "guidance_scale": 3.5, "sampler": "lcm",
                                 "init_text": "robot"})");
  const sdx::BundleInfo info = checkpoint.import();
  CHECK(info.licence == "MIT");
  CHECK(info.advice.guidance_scale == 3.5);
  CHECK(info.advice.sampler == sdx::SamplerKind::kLcm);
  CHECK(info.init_text == "robot");
}

TEST_CASE("model: an existing bundle is replaced only when asked", "[model]") {
  const Checkpoint checkpoint;
  checkpoint.import();
  CHECK_THROWS_AS(checkpoint.import(), sdx::CannotCreateError);
  CHECK(checkpoint.import(true).name == "copy");
}
