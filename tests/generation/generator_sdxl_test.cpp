// Whole pictures of the tiny SDXL from given latents against diffusers' StableDiffusionXLPipeline
// 0.42.1 (scripts/parity/make_sdxl_goldens.py): 20 steps, guidance 7, wider than high.

#include "sdx/generation/generator.h"
#include "sdx/image/convert.h"
#include "support/pictures.h"
#include "support/tiny_sdxl.h"

#include "support/catch.h"

using sdx::test::psnr_db;
using sdx::test::sdxl_golden;
using sdx::test::tiny_sdxl;

namespace {

struct Case {
  const char* sampler;
  const char* variant;  ///< of the golden picture
  sdx::EmptyNegative empty_negative;
  int clip_skip;
};

}  // namespace

TEST_CASE("generation: an SDXL's picture from given latents is diffusers' picture") {
  const sdx::Generator generator(tiny_sdxl(), {});
  const Case cases[] = {
      {"ddim", "empty", sdx::EmptyNegative::kText, 1},
      {"ddim", "zeros", sdx::EmptyNegative::kZeros, 1},
      {"ddim", "zeros", sdx::EmptyNegative::kAuto, 1},  // the file's pipeline: zeros
      {"ddim", "skip", sdx::EmptyNegative::kZeros, 2},  // diffusers counts from the last but one
      {"euler", "empty", sdx::EmptyNegative::kText, 1},
      {"dpmpp_2m", "empty", sdx::EmptyNegative::kText, 1},
  };
  for (const Case& one : cases) {
    sdx::ImageRequest request;
    request.prompt = "a portrait of a man in the snow";
    request.settings.guidance_scale = 7;
    request.settings.width_px = 96;
    request.settings.height_px = 64;
    request.settings.clip_skip = one.clip_skip;
    request.settings.empty_negative = one.empty_negative;
    request.settings.sampler.sampler = sdx::find_enum<sdx::SamplerKind>(one.sampler).value();
    at::Tensor picture;
    generator.generate(
        {request}, {}, {},
        [&](std::size_t /*request*/, const sdx::GeneratedImage& image) {
          picture = ((sdx::to_tensor(image.image) + 1) * 127.5).round();
        },
        {}, sdxl_golden().at("picture.latents"));
    const std::string name = std::string(one.sampler) + "." + one.variant;
    const double likeness = psnr_db(picture, sdxl_golden().at("picture." + name));
    INFO(name << " " << likeness << " dB");
    CHECK(likeness >= 50);
  }
}
