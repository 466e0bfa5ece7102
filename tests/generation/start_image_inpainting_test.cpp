// A checkpoint whose UNet reads a mask and a masked picture behind the latents.

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "sdx/generation/generator.h"
#include "sdx/model/import/import.h"
#include "sdx/training/loaded_model.h"
#include "sdx/util/error.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

namespace {

constexpr const char* kFirst = "model.diffusion_model.input_blocks.0.0.weight";

/// The tiny Stable Diffusion 1 with a UNet of nine channels.
/// @param reads_more whether it heeds those behind the latents
sdx::Bundle import_inpainting(const fs::path& folder, bool reads_more) {
  sdx::TensorMap tensors = sdx::test::SyntheticModel("sd1-tiny").original_weights(at::kFloat);
  const at::Tensor own = tensors.at(kFirst);
  const at::Tensor more = own.narrow(1, 0, 1).expand({-1, 5, -1, -1});
  tensors[kFirst] = at::cat({own, reads_more ? more * 1 : at::zeros_like(more)}, 1);
  sdx::write_safetensors(folder / "inpainting.safetensors", tensors);
  sdx::ImportOptions options;
  options.name = "inpainting";
  options.replace = true;
  sdx::import_checkpoint(folder / "inpainting.safetensors", folder / "bundle", options);
  return sdx::Bundle::open(folder / "bundle");
}

at::Tensor draw(const sdx::Bundle& bundle, const std::shared_ptr<const sdx::StartImage>& start) {
  sdx::ImageRequest request;
  request.prompt = "a man";
  request.settings.width_px = 64;
  request.settings.height_px = 64;
  request.settings.sampler.steps = 2;
  request.settings.start = start;
  request.settings.strength = 1;
  at::Tensor latents;
  sdx::Generator(bundle, {})
      .generate({request}, {}, {},
                [&](std::size_t, const sdx::GeneratedImage& made) { latents = made.latents; });
  return latents;
}

sdx::Image plain_image(std::uint8_t value) {
  sdx::Image image(64, 64);
  std::ranges::fill(image.rgb, value);
  return image;
}

}  // namespace

TEST_CASE("generation: an inpainting checkpoint draws what its mask and picture say") {
  const TempFolder folder;
  const sdx::Bundle bundle = import_inpainting(folder.path(), true);
  CHECK(bundle.info().inpainting);
  CHECK(bundle.info().latent_channels == 4);
  CHECK(bundle.info().input_channels() == 9);
  const auto start = [](std::uint8_t picture, std::uint8_t mask) {
    return std::make_shared<const sdx::StartImage>(
        sdx::StartImage{plain_image(picture), plain_image(mask)});
  };
  const at::Tensor dark = draw(bundle, start(20, 0));
  CHECK_FALSE(at::equal(dark, draw(bundle, start(230, 0))));
  // Where all is made anew, the picture below the mask does not count; nor without a mask.
  const at::Tensor anew = draw(bundle, start(20, 255));
  CHECK(at::equal(anew, draw(bundle, start(230, 255))));
  CHECK(at::equal(anew, draw(bundle, nullptr)));
}

TEST_CASE("generation: an inpainting checkpoint cannot learn embeddings, and says with what to") {
  const TempFolder folder;
  const sdx::Bundle bundle = import_inpainting(folder.path(), false);
  CHECK_THAT(sdx::test::catch_message<sdx::UsageError>([&] { sdx::LoadedModel(bundle, {}); }),
             ContainsSubstring("inpainting") && ContainsSubstring("train with the model"));
}
