// Another autoencoder in the place of a checkpoint's own, and linked weights that lie transposed.

#include "model/import/replacement_vae.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/zeros.h>

#include "sdx/model/inspect.h"
#include "sdx/model/text_encoders.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

constexpr const char* kOriginal = "first_stage_model.";

sdx::BundleInfo import(const fs::path& checkpoint, const fs::path& destination,
                       const fs::path& vae = {}, bool link = false) {
  sdx::ImportOptions options;
  options.name = "copy";
  options.vae = vae;
  options.link = link;
  return sdx::import_checkpoint(checkpoint, destination, options).info;
}

/// The tiny model with an autoencoder of other values, and that autoencoder in all its layouts.
struct Place {
  Place() {
    const SyntheticModel model("sd1-tiny");
    sdx::TensorMap tensors = model.original_weights(at::kFloat);
    sdx::write_safetensors(path("model.safetensors"), tensors);
    sdx::TensorMap alone;
    for (auto& [name, tensor] : tensors) {
      if (!name.starts_with(kOriginal)) continue;
      tensor = tensor * 0.5;
      alone[name.substr(std::string(kOriginal).size())] = tensor;
    }
    sdx::write_safetensors(path("whole.safetensors"), tensors);
    alone["loss.logvar"] = at::zeros({1});  // what training programs leave beside it
    sdx::write_safetensors(path("alone.safetensors"), alone);
    sdx::TensorMap of_diffusers;
    for (const auto& [name, tensor] : model.weights("vae", at::kFloat)) {
      of_diffusers[name] = tensor * 0.5;
    }
    sdx::write_safetensors(path("diffusers.safetensors"), of_diffusers);
    fs::create_directories(path("folder"));
    sdx::write_safetensors(path("folder/diffusion_pytorch_model.safetensors"), of_diffusers);
    model.write_folder(path("whole-folder"), at::kFloat);
    sdx::Json config = sdx::read_json_file(path("whole-folder/vae/config.json"));
    config["scaling_factor"] = 0.5;
    sdx::write_file_atomically(path("folder/config.json"), config.dump());
  }

  fs::path path(const std::string& name) const { return folder.path() / name; }

  TempFolder folder;
};

}  // namespace

TEST_CASE("model: an autoencoder of another file takes the place of the checkpoint's own") {
  const Place place;
  const std::string kHash = "vae.safetensors";
  const sdx::BundleInfo own = import(place.path("model.safetensors"), place.path("own"));
  sdx::BundleInfo expected = import(place.path("whole.safetensors"), place.path("expected"));
  REQUIRE(own.sha256.at(kHash) != expected.sha256.at(kHash));
  int count = 0;
  for (const char* vae : {"whole.safetensors", "alone.safetensors", "diffusers.safetensors"}) {
    INFO(vae);
    const auto info = import(place.path("model.safetensors"),
                             place.path("b" + std::to_string(count++)), place.path(vae));
    CHECK(info.sha256 == expected.sha256);
    CHECK(info.latent_scale == own.latent_scale);
  }
  const auto info =
      import(place.path("model.safetensors"), place.path("from-folder"), place.path("folder"));
  CHECK(info.sha256 == expected.sha256);
  CHECK(info.latent_scale == 0.5);
}

TEST_CASE("model: what is no autoencoder cannot take the place of one") {
  const Place place;
  sdx::write_safetensors(place.path("lora.safetensors"), {{"lora_down", at::zeros({2})}});
  const auto message = [&](const char* vae) {
    return sdx::test::catch_message<sdx::Error>(
        [&] { import(place.path("model.safetensors"), place.path("none"), place.path(vae)); });
  };
  CHECK_THAT(message("lora.safetensors"),
             ContainsSubstring("lora.safetensors: expected an autoencoder"));
  CHECK_THAT(message("absent.safetensors"),
             ContainsSubstring("absent.safetensors: no such file or folder"));
  CHECK_FALSE(fs::exists(place.path("none")));
}

TEST_CASE("model: a linked SDXL has its projection, which lies transposed in the file") {
  const TempFolder folder;
  const fs::path file = folder.path() / "model.safetensors";
  SyntheticModel("sdxl-tiny").write_single_file(file, at::kFloat);
  import(file, folder.path() / "copied");
  import(file, folder.path() / "linked", {}, /*link=*/true);
  const auto pooled = [&](const char* name) {
    const sdx::TextEncoders encoders(sdx::Bundle::open(folder.path() / name), at::kCPU);
    const sdx::ChunkIds chunks = encoders.measuring_chunks(1);
    return encoders.encode(encoders.embed(chunks), chunks.ends).pooled;
  };
  // A matrix product reads a transposed matrix in another order.
  CHECK(at::allclose(pooled("copied"), pooled("linked"), 1e-5, 1e-6));
  CHECK(sdx::find_damage(sdx::Bundle::open(folder.path() / "linked")).empty());
}
