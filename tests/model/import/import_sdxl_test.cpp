// Models of SDXL's anatomy in both layouts, tiny and of synthetic weights, against diffusers and
// transformers (versions in tests/data/layouts/*.safetensors).

#include <ATen/ops/zeros.h>

#include "sdx/model/import/import.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/imported.h"
#include "support/parity.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::import_copy;
using sdx::test::import_refusal;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

/// The single file of the tiny SDXL, made once.
const sdx::TensorMap& tiny_single_file() {
  static const sdx::TensorMap tensors = SyntheticModel("sdxl-tiny").original_weights(at::kFloat);
  return tensors;
}

/// Tensors whose names begin with `from` are called by another beginning; without one they go.
sdx::TensorMap with_other_beginning(const sdx::TensorMap& tensors, const std::string& from,
                                    const std::string& to) {
  sdx::TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    if (!name.starts_with(from)) {
      result[name] = tensor;
    } else if (!to.empty()) {
      result[to + name.substr(from.size())] = tensor;
    }
  }
  return result;
}

}  // namespace

TEST_CASE("model: both layouts of SDXL's anatomy compute what diffusers computes") {
  for (const std::string name : {"sdxl-tiny", "ssd1b-tiny", "vega-tiny", "koala-tiny"}) {
    INFO(name);
    const TempFolder folder;
    const SyntheticModel model(name);
    model.write_folder(folder.path() / "folder", at::kFloat);
    model.write_single_file(folder.path() / "single.safetensors", at::kFloat);
    const auto from_folder = import_copy(folder.path() / "folder", folder.path() / "a");
    const auto from_file = import_copy(folder.path() / "single.safetensors", folder.path() / "b");
    CHECK(from_folder.info.sha256 == from_file.info.sha256);
    for (const sdx::BundleInfo& info : {from_folder.info, from_file.info}) {
      CHECK(info.family == sdx::ModelFamily::kSdxl);
      CHECK(info.size_ids);
      CHECK(info.zero_empty_negative);
      CHECK(info.latent_scale == 0.13025);
      CHECK(info.native_size_px == 1024);
      CHECK(info.noise_schedule.prediction_type == sdx::PredictionType::kEpsilon);
      CHECK(info.noise_schedule.steps_offset == 1);
      REQUIRE(info.text_encoders.size() == 2);
      CHECK(info.text_encoders[0] == sdx::TextEncoderInfo{"text_encoder", 64, 2});
      CHECK(info.text_encoders[1] == sdx::TextEncoderInfo{"text_encoder_2", 128, 3, 0});
    }
    // The first encoder's last layer and norm, its positions' numbers, a scale, a schedule.
    CHECK(from_file.unused.size() == 16 + 2 + 3);
    sdx::test::check_parity(sdx::Bundle::open(folder.path() / "b"), model, /*full_size=*/false);
  }
}

TEST_CASE("model: an SDXL without one of its encoders is refused, which is named") {
  for (const std::string prefix :
       {"conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."}) {
    CHECK_THAT(import_refusal(with_other_beginning(tiny_single_file(), prefix, "")),
               ContainsSubstring("two text encoders") && ContainsSubstring(prefix + "*"));
  }
  const TempFolder folder;
  SyntheticModel("sdxl-tiny").write_folder(folder.path() / "folder", at::kFloat);
  for (const std::string part : {"text_encoder_2", "text_encoder"}) {
    fs::rename(folder.path() / "folder" / part, folder.path() / "away");
    CHECK_THAT(sdx::test::catch_message<sdx::MissingInputError>(
                   [&] { import_copy(folder.path() / "folder", folder.path() / "x"); }),
               ContainsSubstring(part + "/config.json"));
    CHECK_FALSE(fs::exists(folder.path() / "x"));
    fs::rename(folder.path() / "away", folder.path() / "folder" / part);
  }
}

TEST_CASE("model: the refiner of SDXL is refused by its name, in both layouts") {
  // It has the second encoder alone, in the first one's place.
  sdx::TensorMap tensors =
      with_other_beginning(tiny_single_file(), "conditioner.embedders.0.transformer.", "");
  tensors = with_other_beginning(tensors, "conditioner.embedders.1.model.",
                                 "conditioner.embedders.0.model.");
  CHECK_THAT(import_refusal(tensors), ContainsSubstring("the refiner of Stable Diffusion XL"));

  const TempFolder folder;
  sdx::write_file_atomically(
      folder.path() / "model_index.json",
      R"({"_class_name": "StableDiffusionXLImg2ImgPipeline", "requires_aesthetics_score": true,
          "text_encoder": [null, null], "text_encoder_2": ["transformers", "x"]})");
  CHECK_THAT(sdx::test::catch_message<sdx::DataError>(
                 [&] { import_copy(folder.path(), folder.path() / "x"); }),
             ContainsSubstring("model_index.json") && ContainsSubstring("the refiner"));
}

TEST_CASE("model: a truncated shard or file of an SDXL is refused by its name") {
  const TempFolder folder;
  const SyntheticModel model("sdxl-tiny");
  const fs::path checkpoint = folder.path() / "folder";
  model.write_folder(checkpoint, at::kFloat);
  const auto whole = import_copy(checkpoint, folder.path() / "whole").info;

  const fs::path file = checkpoint / "text_encoder_2/model.safetensors";
  sdx::Json index = {{"weight_map", sdx::Json::object()}};
  sdx::TensorMap shards[2];
  for (const auto& [name, tensor] : model.weights("text_encoder_2", at::kFloat)) {
    const std::size_t shard = name < "encoder.layers.2" ? 0 : 1;
    shards[shard][name] = tensor;
    index["weight_map"][name] = "shard-" + std::to_string(shard) + ".safetensors";
  }
  fs::remove(file);
  for (const std::size_t i : {0, 1}) {
    sdx::write_safetensors(file.parent_path() / ("shard-" + std::to_string(i) + ".safetensors"),
                           shards[i]);
  }
  sdx::write_file_atomically(file.string() + ".index.json", index.dump());
  CHECK(import_copy(checkpoint, folder.path() / "sharded").info.sha256 == whole.sha256);

  const fs::path shard = file.parent_path() / "shard-1.safetensors";
  const auto size = fs::file_size(shard);
  for (const std::uintmax_t left : {size - 1, size / 2, std::uintmax_t{100}, std::uintmax_t{3}}) {
    fs::resize_file(shard, left);
    CHECK_THAT(sdx::test::catch_message<sdx::DataError>(
                   [&] { import_copy(checkpoint, folder.path() / "x"); }),
               ContainsSubstring("text_encoder_2/shard-1.safetensors"));
    CHECK_FALSE(fs::exists(folder.path() / "x"));
  }

  const fs::path single = folder.path() / "whole.safetensors";
  sdx::write_safetensors(single, tiny_single_file());
  fs::resize_file(single, fs::file_size(single) - 1);
  CHECK_THAT(
      sdx::test::catch_message<sdx::DataError>([&] { import_copy(single, folder.path() / "x"); }),
      ContainsSubstring("whole.safetensors"));
}

TEST_CASE("model: a tensor of an SDXL that is missing or misshapen is named") {
  const auto without = [](const std::string& name) {
    sdx::TensorMap tensors = tiny_single_file();
    REQUIRE(tensors.erase(name) == 1);
    return import_refusal(tensors);
  };
  CHECK_THAT(without("model.diffusion_model.label_emb.0.2.weight"),
             ContainsSubstring("\"add_embedding.linear_2.weight\" is missing"));
  CHECK_THAT(without("conditioner.embedders.1.model.text_projection"),
             ContainsSubstring("text_projection"));
  CHECK_THAT(
      without("model.diffusion_model.output_blocks.0.1.transformer_blocks.1.attn2.to_k.weight"),
      ContainsSubstring("attn2.to_k.weight"));
  sdx::TensorMap tensors = tiny_single_file();
  tensors["model.diffusion_model.label_emb.0.0.weight"] = at::zeros({256, 1600});
  CHECK_THAT(import_refusal(tensors), ContainsSubstring("model.safetensors"));
}

TEST_CASE("model: the middle's transformer is as deep as the first one of the last level") {
  const TempFolder folder;
  const SyntheticModel model("sdxl-tiny");
  const fs::path checkpoint = folder.path() / "folder";
  model.write_folder(checkpoint, at::kFloat);
  sdx::Json config = sdx::read_json_file(checkpoint / "unet/config.json");
  config["transformer_layers_per_block"] = {0, {1, 1}, {2, 1}};
  config["reverse_transformer_layers_per_block"] = {{2, 2, 2}, {1, 1, 1}, 0};
  sdx::write_file_atomically(checkpoint / "unet/config.json", config.dump());
  sdx::TensorMap unet = model.weights("unet", at::kFloat);
  const auto erased = std::erase_if(unet, [](const auto& entry) {
    return entry.first.starts_with("down_blocks.2.attentions.1.transformer_blocks.1.");
  });
  REQUIRE(erased == 20);
  sdx::write_safetensors(checkpoint / "unet/diffusion_pytorch_model.safetensors", unet);
  CHECK_NOTHROW(import_copy(checkpoint, folder.path() / "bundle"));
}

TEST_CASE("model: the projection of Playground's files is the same under its longer name") {
  const TempFolder folder;
  sdx::TensorMap tensors = tiny_single_file();
  sdx::write_safetensors(folder.path() / "usual.safetensors", tensors);
  const std::string name = "conditioner.embedders.1.model.text_projection";
  tensors[name + ".weight.weight"] = tensors.at(name).t().contiguous();
  tensors.erase(name);
  sdx::write_safetensors(folder.path() / "longer.safetensors", tensors);
  CHECK(import_copy(folder.path() / "usual.safetensors", folder.path() / "a").info.sha256 ==
        import_copy(folder.path() / "longer.safetensors", folder.path() / "b").info.sha256);
}

TEST_CASE("model: marks of v-prediction in an SDXL's file are heeded") {
  const TempFolder folder;
  sdx::TensorMap tensors = tiny_single_file();
  tensors["v_pred"] = at::zeros({0});
  sdx::write_safetensors(folder.path() / "v.safetensors", tensors);
  tensors["ztsnr"] = at::zeros({0});
  sdx::write_safetensors(folder.path() / "zero.safetensors", tensors);
  const auto velocity = import_copy(folder.path() / "v.safetensors", folder.path() / "v").info;
  CHECK(velocity.noise_schedule.prediction_type == sdx::PredictionType::kVelocity);
  CHECK_FALSE(velocity.noise_schedule.zero_terminal_snr);
  CHECK(velocity.native_size_px == 1024);
  const auto zero = import_copy(folder.path() / "zero.safetensors", folder.path() / "z").info;
  CHECK(zero.noise_schedule.prediction_type == sdx::PredictionType::kVelocity);
  CHECK(zero.noise_schedule.zero_terminal_snr);
}

TEST_CASE("model: words that only an SDXL's first tokenizer has learnt are named, and left out") {
  const TempFolder folder;
  const fs::path checkpoint = folder.path() / "folder";
  SyntheticModel("sdxl-tiny").write_folder(checkpoint, at::kFloat);
  sdx::write_file_atomically(checkpoint / "tokenizer/added_tokens.json",
                             R"({"<cat-toy>": 49408, "<cat-toy>_1": 49409})");
  const sdx::ImportReport report = import_copy(checkpoint, folder.path() / "x");
  CHECK(report.learnt.empty());
  REQUIRE(report.remarks.size() == 1);
  CHECK_THAT(report.remarks.front(), ContainsSubstring("\"<cat-toy>\" (ids 49408, 49409)") &&
                                         ContainsSubstring("second tokenizer"));
}
