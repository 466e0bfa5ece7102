// Whole pictures from given latents against diffusers' StableDiffusionPipeline 0.42.1
// (scripts/parity/make_goldens.py, picture_goldens): 20 steps, guidance 7.5.

#include "sdx/generation/generator.h"
#include "sdx/image/convert.h"
#include "support/pictures.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::golden;
using sdx::test::psnr_db;

TEST_CASE("generation: a picture from given latents is diffusers' picture") {
  const sdx::Generator generator(sdx::test::tiny_bundle(), {});
  for (const std::string sampler : {"ddim", "dpmpp_2m"}) {
    sdx::ImageRequest request;
    request.prompt = "a portrait of a man in the snow";
    request.settings.guidance_scale = 7.5;
    request.settings.sampler.sampler = sdx::find_enum<sdx::SamplerKind>(sampler).value();
    at::Tensor picture;
    generator.generate(
        {request}, {}, {},
        [&](std::size_t /*request*/, const sdx::GeneratedImage& image) {
          picture = ((sdx::to_tensor(image.image) + 1) * 127.5).round();
        },
        {}, golden().at("picture.latents"));
    const double likeness = psnr_db(picture, golden().at("picture." + sampler));
    INFO(sampler << " " << likeness << " dB");
    CHECK(likeness >= 50);
  }
}
