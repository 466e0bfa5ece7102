// Pictures of models that were trained on noise levels against diffusers' StableDiffusionXLPipeline
// 0.42.1 with EDMEulerScheduler (scripts/parity/make_edm_goldens.py): 20 steps, guidance 3.

#include <ATen/ops/full.h>

#include "sdx/generation/generator.h"
#include "sdx/image/convert.h"
#include "sdx/model/import/import.h"
#include "sdx/model/vae.h"
#include "support/pictures.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace fs = std::filesystem;

using sdx::test::psnr_db;

namespace {

const sdx::TensorMap& golden() {
  static const sdx::Safetensors content =
      sdx::map_safetensors(fs::path(SDX_TEST_DATA) / "layouts/edm-tiny.safetensors");
  return content.tensors;
}

/// The single file of the tiny SDXL with the marks of such a model.
sdx::Bundle import(const std::string& model, const fs::path& folder) {
  sdx::TensorMap tensors = sdx::test::SyntheticModel("sdxl-tiny").original_weights(at::kFloat);
  if (model == "playground") {
    tensors["edm_mean"] = golden().at("picture.mean");
    tensors["edm_std"] = golden().at("picture.std");
  } else {
    tensors["edm_vpred.sigma_max"] = at::full({}, 120.);
  }
  sdx::write_safetensors(folder / "model.safetensors", tensors);
  sdx::ImportOptions options;
  options.name = model;
  sdx::import_checkpoint(folder / "model.safetensors", folder / "bundle", options);
  return sdx::Bundle::open(folder / "bundle");
}

}  // namespace

TEST_CASE("generation: a picture of Playground's and of CosXL's kind is diffusers' picture") {
  for (const std::string model : {"playground", "cosxl"}) {
    const sdx::test::TempFolder folder;
    const sdx::Bundle bundle = import(model, folder.path());
    sdx::ImageRequest request;
    request.prompt = "a portrait of a man in the snow";
    request.settings.guidance_scale = 3;
    request.settings.width_px = 64;
    request.settings.height_px = 64;
    request.settings.sampler.sampler = sdx::SamplerKind::kEuler;
    at::Tensor picture;
    sdx::Generator(bundle, {})
        .generate(
            {request}, {}, {},
            [&](std::size_t /*request*/, const sdx::GeneratedImage& made) {
              picture = ((sdx::to_tensor(made.image) + 1) * 127.5).round();
            },
            {}, golden().at("picture.latents"));
    const double likeness = psnr_db(picture, golden().at("picture." + model));
    INFO(model << " " << likeness << " dB");
    CHECK(likeness >= 50);
  }
}

TEST_CASE("generation: latents with a mean and deviation go through the autoencoder and back") {
  const sdx::test::TempFolder folder;
  const sdx::Bundle bundle = import("playground", folder.path());
  const sdx::test::TempFolder plain;
  const sdx::Bundle other = import("cosxl", plain.path());
  const at::Tensor image = sdx::test::synthetic_noise("image", {1, 3, 64, 64}) * 0.5;
  const auto mean = [&](const at::Tensor& values) { return values.reshape({1, 4, 1, 1}); };
  const at::Tensor raw = sdx::VaeEncoder(other, {}).encode(image).mean / 0.13025;
  const sdx::LatentDistribution seen = sdx::VaeEncoder(bundle, {}).encode(image);
  CHECK(sdx::test::max_difference(seen.mean, (raw - mean(golden().at("picture.mean"))) /
                                                 mean(golden().at("picture.std"))) < 1e-5);
  CHECK(sdx::test::max_difference(sdx::VaeDecoder(bundle, {}).decode(seen.mean),
                                  sdx::VaeDecoder(other, {}).decode(raw * 0.13025)) < 1e-4);
}
