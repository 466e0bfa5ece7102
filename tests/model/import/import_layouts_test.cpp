// Stable Diffusion 1 and 2 in both layouts, tiny and of synthetic weights, against diffusers and
// transformers (versions in tests/data/layouts/*.safetensors).

#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include "sdx/model/import/import.h"
#include "sdx/model/inspect.h"
#include "sdx/model/unet.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/imported.h"
#include "support/parity.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::import_copy;
using sdx::test::import_refusal;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

/// The single file of a tiny Stable Diffusion 1, made once.
const sdx::TensorMap& tiny_single_file() {
  static const sdx::TensorMap tensors = SyntheticModel("sd1-tiny").original_weights(at::kFloat);
  return tensors;
}

}  // namespace

TEST_CASE("model: both layouts of Stable Diffusion 1 and 2 compute what diffusers computes") {
  for (const std::string name : {"sd1-tiny", "sd2-tiny"}) {
    INFO(name);
    const TempFolder folder;
    const SyntheticModel model(name);
    model.write_folder(folder.path() / "folder", at::kFloat);
    model.write_single_file(folder.path() / "single.safetensors", at::kFloat);
    const auto from_folder = import_copy(folder.path() / "folder", folder.path() / "a");
    const auto from_file = import_copy(folder.path() / "single.safetensors", folder.path() / "b");
    CHECK(from_folder.info.sha256 == from_file.info.sha256);
    const bool second = name == "sd2-tiny";
    for (const sdx::BundleInfo& info : {from_folder.info, from_file.info}) {
      CHECK(info.family == (second ? sdx::ModelFamily::kSd2 : sdx::ModelFamily::kSd1));
      CHECK(info.noise_schedule.prediction_type ==
            (second ? sdx::PredictionType::kVelocity : sdx::PredictionType::kEpsilon));
      CHECK(info.noise_schedule.steps_offset == 1);
      CHECK(info.latent_scale == 0.18215);
    }
    CHECK(from_file.unused.size() == (second ? 14 : 2));
    sdx::test::check_parity(sdx::Bundle::open(folder.path() / "b"), model, /*full_size=*/false);
  }
}

TEST_CASE("model: averaged weights are preferred, and said so") {
  sdx::TensorMap tensors = tiny_single_file();
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "averaged.safetensors", tensors);
  sdx::TensorMap with_average = tensors;
  for (auto& [name, tensor] : tensors) {
    if (!name.starts_with("model.diffusion_model.")) continue;
    std::string flat = name.substr(6);
    std::erase(flat, '.');
    with_average["model_ema." + flat] = tensor;
    with_average[name] = tensor + 1;
  }
  with_average["model_ema.decay"] = at::zeros({});
  sdx::write_safetensors(folder.path() / "both.safetensors", with_average);
  const auto expected = import_copy(folder.path() / "averaged.safetensors", folder.path() / "a");
  const auto found = import_copy(folder.path() / "both.safetensors", folder.path() / "b");
  CHECK(expected.info.sha256 == found.info.sha256);
  REQUIRE(found.remarks.size() == 1);
  CHECK_THAT(found.remarks.front(), ContainsSubstring("EMA") && ContainsSubstring("208 tensors"));
}

TEST_CASE("model: files that are something else are called by their name") {
  const sdx::TensorMap& good = tiny_single_file();
  const auto with = [&good](const std::string& name, const at::Tensor& tensor) {
    sdx::TensorMap tensors = good;
    tensors[name] = tensor;
    return import_refusal(tensors);
  };
  const at::Tensor one = at::zeros({1});
  CHECK_THAT(with("model.diffusion_model.input_blocks.0.0.weight", at::zeros({32, 8, 3, 3})),
             ContainsSubstring("image-editing") && ContainsSubstring("8 channels"));
  CHECK_THAT(with("model.diffusion_model.input_blocks.0.0.weight", at::zeros({32, 5, 3, 3})),
             ContainsSubstring("depth-guided") && ContainsSubstring("5 channels"));
  CHECK_THAT(with("conditioner.embedders.0.model.x", one),
             ContainsSubstring("the refiner of Stable Diffusion XL"));
  CHECK_THAT(with("surprise.weight", one), ContainsSubstring("\"surprise.weight\" is unknown"));
  CHECK_THAT(with("first_stage_model.surprise.weight", one),
             ContainsSubstring("\"first_stage_model.surprise.weight\" is unknown"));
  CHECK_THAT(import_refusal({{"lora_unet_down_blocks_0.lora_down.weight", one}}),
             ContainsSubstring("a LoRA"));
  CHECK_THAT(import_refusal({{"encoder.conv_in.weight", one}, {"decoder.conv_in.weight", one}}),
             ContainsSubstring("a VAE without a UNet"));
  CHECK_THAT(import_refusal({{"emb_params", one}}), ContainsSubstring("an embedding"));
  CHECK_THAT(import_refusal({{"x", one}}), ContainsSubstring("model.diffusion_model.*"));
}

TEST_CASE("model: a tensor of a single file that is missing, misshapen or not finite is named") {
  const std::string name = "model.diffusion_model.middle_block.0.in_layers.2.weight";
  sdx::TensorMap tensors = tiny_single_file();
  tensors.erase(name);
  CHECK_THAT(import_refusal(tensors),
             ContainsSubstring("\"mid_block.resnets.0.conv1.weight\" is missing"));
  const std::string norm = "model.diffusion_model.middle_block.1.norm.weight";
  tensors[name] = at::zeros({64, 64, 3, 3});
  tensors.erase(norm);
  CHECK_THAT(import_refusal(tensors),
             ContainsSubstring("\"mid_block.attentions.0.norm.weight\" is missing"));
  tensors[norm] = at::zeros({64});
  tensors[name] = at::zeros({64, 64, 1, 1});
  CHECK_THAT(import_refusal(tensors),
             ContainsSubstring("expected shape [64,64,3,3], found [64,64,1,1]"));
  tensors[name] = at::full({64, 64, 3, 3}, std::nan(""));
  CHECK_THAT(import_refusal(tensors), ContainsSubstring("not finite"));

  tensors[name] = at::full({64, 64, 3, 3}, 1e6);  // finite, but not as a half
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "large.safetensors", tensors);
  sdx::ImportOptions options;
  options.dtype = sdx::WeightsDtype::kFp16;
  CHECK_THAT(sdx::test::catch_message<sdx::DataError>([&] {
               import_copy(folder.path() / "large.safetensors", folder.path() / "bundle", options);
             }),
             ContainsSubstring("`dtype` too narrow"));
}

TEST_CASE("model: a truncated single file is refused") {
  const TempFolder folder;
  const fs::path file = folder.path() / "whole.safetensors";
  sdx::write_safetensors(file, tiny_single_file());
  fs::resize_file(file, fs::file_size(file) / 2);
  const auto message = sdx::test::catch_message<sdx::DataError>(
      [&] { import_copy(file, folder.path() / "bundle"); });
  CHECK_THAT(message, ContainsSubstring("whole.safetensors"));
  CHECK(sdx::test::entries_in(folder.path()) == 1);
}

TEST_CASE("model: a linked bundle is the same model, until its file changes") {
  const TempFolder folder;
  const SyntheticModel model("sd2-tiny");
  const fs::path file = folder.path() / "model.safetensors";
  model.write_single_file(file, at::kFloat);
  sdx::ImportOptions options;
  options.link = true;
  import_copy(file, folder.path() / "linked", options);
  const sdx::Bundle bundle = sdx::Bundle::open(folder.path() / "linked");
  CHECK(sdx::find_damage(bundle).empty());
  CHECK(sdx::summarise_parts(bundle)[1].linked);
  sdx::test::check_parity(bundle, model, /*full_size=*/false);

  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(5));
  CHECK_NOTHROW(sdx::UNet(bundle, {}));  // touched, not changed
  std::string bytes = sdx::read_file(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  sdx::write_file_atomically(file, bytes);
  CHECK_THAT(sdx::test::catch_message<sdx::DataError>([&] { sdx::UNet(bundle, {}); }),
             ContainsSubstring("changed since it was linked to"));
  CHECK(sdx::find_damage(bundle).size() == 3);
  fs::resize_file(file, 1000);
  CHECK_THAT(sdx::test::catch_message<sdx::DataError>([&] { sdx::UNet(bundle, {}); }),
             ContainsSubstring("found 1000"));
  fs::rename(file, folder.path() / "elsewhere");
  CHECK_THAT(sdx::test::catch_message<sdx::MissingInputError>([&] { sdx::UNet(bundle, {}); }),
             ContainsSubstring("moved or deleted"));

  options.dtype = sdx::WeightsDtype::kFp16;
  CHECK_THROWS_AS(import_copy(folder.path() / "elsewhere", folder.path() / "c", options),
                  sdx::UsageError);
}

TEST_CASE("model: weights are converted on the way, and the prediction is the user's to say") {
  const TempFolder folder;
  SyntheticModel("sd2-tiny").write_single_file(folder.path() / "m.safetensors", at::kFloat);
  sdx::ImportOptions options;
  options.dtype = sdx::WeightsDtype::kFp16;
  options.prediction = sdx::PredictionType::kEpsilon;
  const auto report = import_copy(folder.path() / "m.safetensors", folder.path() / "b", options);
  CHECK(report.info.dtype == "fp16");
  CHECK(report.info.noise_schedule.prediction_type == sdx::PredictionType::kEpsilon);
  CHECK(report.info.native_size_px == 512);
  for (const auto& part : sdx::summarise_parts(sdx::Bundle::open(folder.path() / "b"))) {
    CHECK(part.dtype == "F16");
  }
}

TEST_CASE("model: shards and variants of a folder are found; a missing shard is named") {
  const TempFolder folder;
  const SyntheticModel model("sd1-tiny");
  const fs::path checkpoint = folder.path() / "folder";
  model.write_folder(checkpoint, at::kFloat);
  const auto whole = import_copy(checkpoint, folder.path() / "whole").info;

  const fs::path file = checkpoint / "unet/diffusion_pytorch_model.safetensors";
  sdx::Json index = {{"weight_map", sdx::Json::object()}};
  sdx::TensorMap shards[2];
  for (const auto& [name, tensor] : model.weights("unet", at::kFloat)) {
    const std::size_t shard = name < "mid" ? 0 : 1;
    shards[shard][name] = tensor;
    index["weight_map"][name] = "shard-" + std::to_string(shard) + ".safetensors";
  }
  fs::remove(file);
  sdx::write_safetensors(checkpoint / "unet/shard-0.safetensors", shards[0]);
  sdx::write_safetensors(checkpoint / "unet/shard-1.safetensors", shards[1]);
  sdx::write_file_atomically(file.string() + ".index.json", index.dump());
  CHECK(import_copy(checkpoint, folder.path() / "sharded").info.sha256 == whole.sha256);

  fs::remove(checkpoint / "unet/shard-1.safetensors");
  CHECK_THAT(sdx::test::catch_message<sdx::MissingInputError>(
                 [&] { import_copy(checkpoint, folder.path() / "x"); }),
             ContainsSubstring("shard-1.safetensors: missing") && ContainsSubstring("2 shards"));

  fs::remove(file.string() + ".index.json");
  sdx::write_safetensors(checkpoint / "unet/diffusion_pytorch_model.fp16.safetensors",
                         model.weights("unet", at::kHalf));
  const auto variant = import_copy(checkpoint, folder.path() / "variant");
  CHECK(variant.info.dtype == "fp16");
  CHECK_THAT(variant.remarks.front(), ContainsSubstring("variant fp16"));
}

TEST_CASE("model: attention of old VAEs is the same under other names") {
  const TempFolder folder;
  const SyntheticModel model("sd1-tiny");
  const fs::path checkpoint = folder.path() / "folder";
  model.write_folder(checkpoint, at::kFloat);
  const auto now = import_copy(checkpoint, folder.path() / "now").info;
  sdx::TensorMap old;
  for (const auto& [name, tensor] : model.weights("vae", at::kFloat)) {
    std::string renamed = name;
    for (const auto& [from, to] :
         std::map<std::string, std::string>{{".to_q.", ".query."},
                                            {".to_k.", ".key."},
                                            {".to_v.", ".value."},
                                            {".to_out.0.", ".proj_attn."}}) {
      if (const auto at = renamed.find(from); at != std::string::npos) {
        renamed.replace(at, from.size(), to);
      }
    }
    old[renamed] = tensor;
  }
  sdx::write_safetensors(checkpoint / "vae/diffusion_pytorch_model.safetensors", old);
  CHECK(import_copy(checkpoint, folder.path() / "old").info.sha256 == now.sha256);
}

TEST_CASE("model: other pipelines in diffusers' layout are refused by their name") {
  const TempFolder folder;
  for (const auto& [kind, words] : std::map<std::string, std::string>{
           {"StableDiffusion3Pipeline", "Stable Diffusion 3"},
           {"FluxPipeline", "Flux"},
           {"StableDiffusionControlNetImg2ImgPipeline", "a model with a ControlNet"},
           {"StableDiffusionInstructPix2PixPipeline", "an image-editing model"},
           {"StableDiffusionUpscalePipeline", "enlarges"},
           {"FlaxStableDiffusionPipeline", "a model of Flax"},
           {"MyPipeline", "a pipeline that is not known here"}}) {
    sdx::write_file_atomically(folder.path() / "model_index.json",
                               sdx::Json{{"_class_name", kind}}.dump());
    CHECK_THAT(sdx::test::catch_message<sdx::DataError>(
                   [&] { import_copy(folder.path(), folder.path() / "x"); }),
               ContainsSubstring(kind) && ContainsSubstring(words));
  }
}

TEST_CASE("model: damage in a bundle is listed") {
  const TempFolder folder;
  fs::copy(sdx::test::tiny_bundle().folder(), folder.path() / "copy", fs::copy_options::recursive);
  const sdx::Bundle bundle = sdx::Bundle::open(folder.path() / "copy");
  CHECK(sdx::find_damage(bundle).empty());
  sdx::write_file_atomically(bundle.folder() / "extra.txt", "?");
  fs::remove(bundle.folder() / "unet.ts");
  const auto problems = sdx::find_damage(bundle);
  REQUIRE(problems.size() == 2);
  CHECK_THAT(problems[0], ContainsSubstring("unet.ts"));
  CHECK_THAT(problems[1], ContainsSubstring("extra.txt: not in the bundle's manifest"));
}

TEST_CASE("model: a .ckpt file is the same checkpoint, and its hints are heeded") {
  const TempFolder folder;
  for (const std::string name : {"sd1-tiny", "sd2-tiny"}) {
    INFO(name);
    const SyntheticModel model(name);
    model.write_ckpt(folder.path() / "model.ckpt", 875'000);
    model.write_single_file(folder.path() / "model.safetensors", at::kFloat);
    const auto from_ckpt = import_copy(folder.path() / "model.ckpt", folder.path() / (name + "-a"));
    const auto from_file =
        import_copy(folder.path() / "model.safetensors", folder.path() / (name + "-b"));
    CHECK(from_ckpt.info.sha256 == from_file.info.sha256);
    CHECK(from_ckpt.info.noise_schedule.prediction_type == sdx::PredictionType::kEpsilon);
  }
  sdx::ImportOptions options;
  options.link = true;
  CHECK_THAT(sdx::test::catch_message<sdx::UsageError>([&] {
               import_copy(folder.path() / "model.ckpt", folder.path() / "linked", options);
             }),
             ContainsSubstring("`link` needs .safetensors files"));
}
