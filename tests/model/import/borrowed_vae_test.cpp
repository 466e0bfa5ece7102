#include "sdx/model/import/borrowed_vae.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <functional>

#include "sdx/model/vae.h"
#include "sdx/tensor/noise.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"
#include "support/imported.h"
#include "support/synthetic.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

constexpr const char* kOriginal = "first_stage_model.";

/// The tiny Stable Diffusion 1, and an autoencoder of other values in all its layouts, one of which
/// is a model.
struct Place {
  Place() {
    const SyntheticModel model("sd1-tiny");
    sdx::TensorMap tensors = model.original_weights(at::kFloat);
    sdx::write_safetensors(path("model.safetensors"), tensors);
    import("model.safetensors", "model");
    sdx::TensorMap alone;
    for (auto& [name, tensor] : tensors) {
      if (!name.starts_with(kOriginal)) continue;
      tensor = tensor * 0.5;
      alone[name.substr(std::string(kOriginal).size())] = tensor;
    }
    sdx::write_safetensors(path("whole.safetensors"), tensors);
    import("whole.safetensors", "other");
    sdx::write_safetensors(path("alone.safetensors"), alone);
    sdx::TensorMap of_diffusers;
    for (const auto& [name, tensor] : model.weights("vae", at::kFloat)) {
      of_diffusers[name] = tensor * 0.5;
    }
    sdx::write_safetensors(path("diffusers.safetensors"), of_diffusers);
    model.write_folder(path("whole-folder"), at::kFloat);
    fs::create_directories(path("folder"));
    sdx::write_safetensors(path("folder/diffusion_pytorch_model.safetensors"), of_diffusers);
    fs::copy_file(path("whole-folder/vae/config.json"), path("folder/config.json"));
    set_config("scaling_factor", 0.5);
  }

  void import(const char* file, const char* name) const {
    sdx::test::import_copy(path(file), path(name));
  }
  void set_config(const char* key, const sdx::Json& value) const {
    sdx::Json config = sdx::read_json_file(path("folder/config.json"));
    config[key] = value;
    sdx::write_file_atomically(path("folder/config.json"), config.dump());
  }

  fs::path path(const std::string& name) const { return folder.path() / name; }
  sdx::Bundle bundle(const char* name) const { return sdx::Bundle::open(path(name)); }
  sdx::Bundle borrow(const std::string& name) const {
    const sdx::Bundle model = bundle("model");
    return model.with_vae(sdx::borrow_vae(model, path(name)));
  }

  TempFolder folder;
};

at::Tensor decode(const sdx::Bundle& bundle) {
  return sdx::VaeDecoder(bundle, {}).decode(sdx::test::synthetic_noise("latents", {1, 4, 8, 8}));
}

at::Tensor encode(const sdx::Bundle& bundle) {
  return sdx::VaeEncoder(bundle, {})
      .encode(sdx::test::synthetic_noise("image", {1, 3, 64, 64}) * 0.5)
      .mean;
}

}  // namespace

TEST_CASE("model: a borrowed autoencoder computes as if it were the model's own") {
  const Place place;
  const sdx::Bundle own = place.bundle("model");
  const sdx::Bundle other = place.bundle("other");
  const at::Tensor decoded = decode(other);
  const at::Tensor encoded = encode(other);
  REQUIRE_FALSE(at::equal(decode(own), decoded));
  for (const char* vae :
       {"whole.safetensors", "alone.safetensors", "diffusers.safetensors", "other"}) {
    INFO(vae);
    const sdx::Bundle bundle = place.borrow(vae);
    CHECK(at::equal(decode(bundle), decoded));
    CHECK(at::equal(encode(bundle), encoded));
    CHECK(bundle.info().latent_scale == own.info().latent_scale);
    CHECK(bundle.short_hash() == own.short_hash());
  }
  CHECK(own.borrowed_vae() == nullptr);
  const auto alone = place.borrow("alone.safetensors").borrowed_vae();
  CHECK(alone->name == "alone.safetensors");
  CHECK(alone->hash == sdx::sha256_of_file(place.path("alone.safetensors")).substr(0, 10));
  const auto of_model = place.borrow("other").borrowed_vae();
  CHECK(of_model->name == "copy");
  CHECK(of_model->hash == other.info().sha256.at("vae.safetensors").substr(0, 10));
}

TEST_CASE("model: a borrowed autoencoder brings its scale, where its folder says one") {
  const Place place;
  CHECK(place.borrow("folder").info().latent_scale == 0.5);
  CHECK(place.borrow("whole-folder").info().latent_scale == 0.18215);
  place.set_config("latents_mean", {0.5, 0, 0, 0});
  place.set_config("latents_std", {2, 1, 1, 1});
  const sdx::Bundle bundle = place.borrow("folder");
  CHECK(bundle.info().latent_mean == std::vector<double>{0.5, 0, 0, 0});
  CHECK(bundle.info().latent_deviation == std::vector<double>{2, 1, 1, 1});
}

TEST_CASE("model: a borrowed autoencoder's scale and mean are those of its latents here") {
  const Place place;
  const auto change = [&](const char* name, const std::function<void(sdx::BundleInfo&)>& set) {
    sdx::BundleInfo info = place.bundle(name).info();
    set(info);
    sdx::write_bundle_info(place.path(name), info);
  };
  // Where latents of the training have the deviation 0.5, ours are twice as large.
  change("model", [](sdx::BundleInfo& info) {
    info.noise_schedule.beta_schedule = sdx::BetaSchedule::kEdm;
    info.noise_schedule.prediction_type = sdx::PredictionType::kEdm;
    info.noise_schedule.edm.data = 0.5;
    info.latent_mean = {1, 2, 3, 4};
    info.latent_deviation = {1, 1, 1, 2};
  });
  const std::vector<double> mean = {0.5, 0, 0, 0};
  change("other", [&](sdx::BundleInfo& info) { info.latent_mean = mean; });
  const sdx::Bundle of_model = place.borrow("other");
  CHECK(of_model.info().latent_scale == 0.18215 / 0.5);
  CHECK(of_model.info().latent_mean == mean);
  CHECK(of_model.info().latent_deviation.empty());
  // A file that says nothing of it has the model's.
  const sdx::Bundle of_file = place.borrow("alone.safetensors");
  CHECK(of_file.info().latent_mean == std::vector<double>{1, 2, 3, 4});
  CHECK(of_file.info().latent_deviation == std::vector<double>{1, 1, 1, 2});
  change("other", [](sdx::BundleInfo& info) { info.vae_factor = 4; });
  CHECK_THAT(
      sdx::test::catch_message<sdx::DataError>([&] { place.borrow("other"); }),
      ContainsSubstring("with a reduction of 8, as the model ") && ContainsSubstring("found 4"));
}

TEST_CASE("model: what is no fitting autoencoder is not borrowed, and named") {
  const Place place;
  sdx::write_safetensors(place.path("lora.safetensors"), {{"lora_down", at::zeros({2})}});
  const auto refusal = [&](const std::string& vae) {
    return sdx::test::catch_message<sdx::Error>(
        [&] { sdx::borrow_vae(place.bundle("model"), vae); });
  };
  CHECK_THAT(refusal(place.path("lora.safetensors")),
             ContainsSubstring("lora.safetensors: expected an autoencoder"));
  CHECK_THAT(refusal(place.path("absent.safetensors")),
             ContainsSubstring("`vae` ") && ContainsSubstring("no such file"));
  CHECK_THAT(refusal("nobody"), ContainsSubstring("`vae` nobody: no such model; known are"));
  sdx::TensorMap wide = sdx::map_safetensors(place.path("diffusers.safetensors")).tensors;
  for (auto& [name, tensor] : wide) tensor = tensor.clone();
  wide["post_quant_conv.weight"] = at::zeros({16, 16, 1, 1});
  sdx::write_safetensors(place.path("wide.safetensors"), wide);
  CHECK_THAT(
      refusal(place.path("wide.safetensors")),
      ContainsSubstring("wide.safetensors: expected an autoencoder with latent_channels 4") &&
          ContainsSubstring("found 16"));
  // A tensor that the anatomy has no place for.
  wide = sdx::map_safetensors(place.path("diffusers.safetensors")).tensors;
  for (auto& [name, tensor] : wide) tensor = tensor.clone();
  wide["encoder.more.weight"] = at::zeros({1});
  sdx::write_safetensors(place.path("more.safetensors"), wide);
  CHECK_THAT(refusal(place.path("more.safetensors")),
             ContainsSubstring("\"encoder.more.weight\" is unknown"));
}
