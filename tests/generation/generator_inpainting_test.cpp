// Pictures of inpainting models against diffusers' StableDiffusionInpaintPipeline and
// StableDiffusionXLInpaintPipeline 0.42.1 (scripts/parity/make_inpainting_goldens.py): given
// latents, 20 steps, guidance 7, a mask whose edge is soft and off the latents' grid.

#include <cstring>

#include "sdx/generation/generator.h"
#include "sdx/image/convert.h"
#include "sdx/model/import/import.h"
#include "sdx/model/vae.h"
#include "support/pictures.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;

using sdx::test::psnr_db;

namespace {

const sdx::TensorMap& golden() {
  static const sdx::Safetensors content =
      sdx::map_safetensors(fs::path(SDX_TEST_DATA) / "layouts/inpainting-tiny.safetensors");
  return content.tensors;
}

/// A tiny model whose UNet has a first convolution of nine channels.
sdx::Bundle import_inpainting(const std::string& layout, const fs::path& folder) {
  sdx::TensorMap tensors = sdx::test::SyntheticModel(layout).original_weights(at::kFloat);
  at::Tensor& first = tensors.at("model.diffusion_model.input_blocks.0.0.weight");
  first = sdx::test::synthetic_weight("unet.conv_in.weight", {first.size(0), 9, 3, 3});
  sdx::write_safetensors(folder / "inpainting.safetensors", tensors);
  sdx::ImportOptions options;
  options.name = "inpainting";
  sdx::import_checkpoint(folder / "inpainting.safetensors", folder / "bundle", options);
  return sdx::Bundle::open(folder / "bundle");
}

/// @param pixels [H,W,3] or [H,W] uint8
sdx::Image read_picture(const at::Tensor& pixels) {
  const at::Tensor colours =
      (pixels.dim() == 3 ? pixels : pixels.unsqueeze(-1).expand({-1, -1, 3})).contiguous();
  sdx::Image image(static_cast<int>(colours.size(1)), static_cast<int>(colours.size(0)));
  std::memcpy(image.rgb.data(), colours.const_data_ptr(), image.rgb.size());
  return image;
}

at::Tensor to_bytes(const sdx::Image& image) { return (sdx::to_tensor(image) + 1) * 127.5; }

struct Case {
  const char* name;  ///< of the reference's picture
  sdx::SamplerKind sampler;
  double strength;
};

}  // namespace

TEST_CASE("generation: an inpainting model's picture from given latents is diffusers' picture") {
  const Case cases[] = {{"ddim", sdx::SamplerKind::kDdim, 1},
                        {"euler", sdx::SamplerKind::kEuler, 1},
                        {"part", sdx::SamplerKind::kEuler, 0.6}};
  for (const auto& [model, layout] : {std::pair{"sd1", "sd1-tiny"}, {"sdxl", "sdxl-tiny"}}) {
    const sdx::test::TempFolder folder;
    const sdx::Bundle bundle = import_inpainting(layout, folder.path());
    const sdx::Generator generator(bundle, {});
    const sdx::VaeDecoder decoder(bundle, {});
    const auto start = std::make_shared<const sdx::StartImage>(
        sdx::StartImage{read_picture(golden().at("image")), read_picture(golden().at("mask"))});
    for (const Case& one : cases) {
      sdx::ImageRequest request;
      request.prompt = "a portrait of a man in the snow";
      request.settings.guidance_scale = 7;
      request.settings.width_px = 96;
      request.settings.height_px = 64;
      request.settings.start = start;
      request.settings.strength = one.strength;
      request.settings.sampler.sampler = one.sampler;
      at::Tensor whole;   // as diffusers gives it
      at::Tensor pasted;  // as a person gets it
      generator.generate(
          {request}, {}, {},
          [&](std::size_t /*request*/, const sdx::GeneratedImage& made) {
            whole = to_bytes(sdx::to_image(decoder.decode(made.latents)));
            pasted = to_bytes(made.image);
          },
          {}, golden().at("latents"));
      const at::Tensor expected = golden().at(std::string(model) + "." + one.name).to(at::kFloat);
      const double likeness = psnr_db(whole, expected);
      INFO(model << " " << one.name << " " << likeness << " dB");
      CHECK(likeness >= 50);
      // Far inside the mask the picture is the model's, far outside it is the start image.
      const auto part = [](const at::Tensor& picture, int x, int y) {
        return picture.narrow(2, y, 8).narrow(3, x, 8);
      };
      CHECK(psnr_db(part(pasted, 52, 24), part(expected, 52, 24)) >= 50);
      CHECK(psnr_db(part(pasted, 0, 0), part(to_bytes(start->image), 0, 0)) == 99);
      CHECK(psnr_db(part(expected, 0, 0), part(to_bytes(start->image), 0, 0)) < 30);
    }
  }
}
