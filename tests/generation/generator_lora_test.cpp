// Pictures with LoRAs against diffusers' pipelines with load_lora_weights (or the formula), and
// that each picture has its own (scripts/parity/make_lora_goldens.py): 20 steps.

#include <ATen/ops/equal.h>

#include "sdx/generation/generator.h"
#include "sdx/generation/infotext.h"
#include "sdx/image/convert.h"
#include "sdx/util/error.h"
#include "support/lora_files.h"
#include "support/pictures.h"
#include "support/skip.h"
#include "support/synthetic.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"
#include "support/tiny_sdxl.h"

#include "support/catch.h"

using namespace sdx;
using Catch::Matchers::ContainsSubstring;
using test::applied;
using test::psnr_db;
using test::tiny_bundle;

namespace {

struct Case {
  const char* golden;
  AppliedLoras loras;
};

void check_pictures(const Bundle& bundle, double guidance, const std::vector<Case>& cases) {
  const Generator generator(bundle, {});
  for (const Case& one : cases) {
    ImageRequest request;
    request.prompt = "a portrait of a man in the snow";
    request.settings.guidance_scale = guidance;
    request.settings.width_px = request.settings.height_px = 64;
    request.settings.sampler.sampler = SamplerKind::kDdim;
    request.settings.empty_negative = EmptyNegative::kText;
    request.settings.loras = one.loras;
    at::Tensor picture;
    generator.generate(
        {request}, {}, {},
        [&](std::size_t /*request*/, const GeneratedImage& image) {
          picture = ((to_tensor(image.image) + 1) * 127.5).round();
        },
        {}, test::synthetic_noise("lora.latents", {1, 4, 8, 8}));
    const double likeness =
        psnr_db(picture, test::lora_golden().at(std::string("picture.") + one.golden));
    INFO(one.golden << " " << likeness << " dB");
    CHECK(likeness >= 50);
  }
}

ImageRequest request(std::uint64_t seed, AppliedLoras loras = {}) {
  ImageRequest result;
  result.prompt = "a robot";
  for (const AppliedLora& lora : loras) result.prompt += " <lora:" + lora.name + ":1>";
  result.seed = seed;
  result.settings.sampler.steps = 3;
  result.settings.loras = std::move(loras);
  return result;
}

std::vector<GeneratedImage> generate(const Generator& generator,
                                     const std::vector<ImageRequest>& requests) {
  std::vector<GeneratedImage> images;
  generator.generate(requests, {}, {},
                     [&](std::size_t, const GeneratedImage& image) { images.push_back(image); });
  return images;
}

}  // namespace

TEST_CASE("generation: pictures with LoRAs are diffusers' pictures") {
  check_pictures(tiny_bundle(), 7.5,
                 {{"sd1.kohya.0.8", {applied("sd1-kohya", 0.8)}},
                  {"sd1.kohya.-1", {applied("sd1-kohya", -1)}},
                  {"sd1.two", {applied("sd1-kohya", 0.8), applied("sd1-locon", 0.5)}},
                  {"sd1.loha.0.8", {applied("sd1-loha", 0.8)}},
                  {"sd1.lokr.0.8", {applied("sd1-lokr", 0.8)}}});
}

TEST_CASE("generation: an SDXL's pictures with LoRAs are diffusers' pictures") {
  check_pictures(test::tiny_sdxl(), 7,
                 {{"sdxl.sgm.0.8", {applied("sdxl-sgm", 0.8)}},
                  {"sdxl.sgm.-1", {applied("sdxl-sgm", -1)}},
                  {"sdxl.two", {applied("sdxl-sgm", 0.8), applied("sdxl-peft", 0.5)}}});
}

TEST_CASE("generation: each picture has its own LoRAs, whatever stands beside it") {
  const Generator generator(tiny_bundle(), {});
  const AppliedLora style = applied("sd1-kohya", 0.8);
  const AppliedLora detail = applied("sd1-locon", 0.5);
  const std::vector<ImageRequest> mixed = {
      request(1),          request(1, {style}),         request(2, {style}),  request(1, {detail}),
      request(2, {style}), request(1, {style, detail}), request(1, {detail}), request(1)};
  const auto images = generate(generator, mixed);
  REQUIRE(images.size() == mixed.size());
  CHECK(images[0].image.rgb != images[1].image.rgb);
  CHECK(images[1].image.rgb != images[3].image.rgb);
  CHECK(images[5].image.rgb != images[1].image.rgb);
  CHECK(images[3].image.rgb == images[6].image.rgb);
  CHECK(images[0].image.rgb == images[7].image.rgb);
  // Those of one set share a batch, and only those.
  CHECK(images[1].generation_info.place.size == 2);
  CHECK(images[4].generation_info.place.size == 1);
  // Another generator, which never had another variant, makes the same bits.
  const Generator fresh(tiny_bundle(), {});
  CHECK(at::equal(generate(fresh, {request(1, {detail})})[0].latents, images[6].latents));
  CHECK(at::equal(generate(fresh, {request(1)})[0].latents, images[7].latents));
  // Its text encoder is another one, too: nothing that was encoded before is taken.
  CHECK(at::equal(generate(fresh, {request(2, {style})})[0].latents, images[4].latents));
  const Generator first(tiny_bundle(), {});
  CHECK(at::equal(generate(first, {request(2, {style})})[0].latents, images[4].latents));
}

TEST_CASE("generation: what overflows in half precision is computed again with the same LoRAs") {
  const AppliedLora style = applied("sd1-kohya", 0.8);
  // What the UNet sees has values beyond the 65504 that half precision holds.
  ImageRequest strong = request(3, {style});
  strong.settings.guidance_scale = 1e6;
  const Generator in_half(tiny_bundle(), {at::kCPU, at::kHalf});
  std::vector<GeneratedImage> made;
  try {
    made = generate(in_half, {strong, request(3), strong});
  } catch (const InternalError& error) {
    SDX_SKIP("this processor does not compute in float16: " + std::string(error.what()));
  }
  const Generator exact(tiny_bundle(), {});
  CHECK(made[0].generation_info.dtype == at::kFloat);
  CHECK(made[0].image.rgb == generate(exact, {strong})[0].image.rgb);
  CHECK(made[2].image.rgb == made[0].image.rgb);
  CHECK(made[1].generation_info.dtype == at::kHalf);
}

TEST_CASE(
    "generation: a LoRA that does not fit, or that nobody resolved, is refused before the work") {
  const Generator generator(tiny_bundle(), {});
  const auto refusal = [&](const ImageRequest& of) {
    return test::catch_message<Error>([&] { generator.check({of}, EmbeddingTable()); });
  };
  CHECK_THAT(refusal(request(1, {applied("sdxl-sgm", 1)})), ContainsSubstring("was made for"));
  ImageRequest unresolved = request(1);
  unresolved.prompt = "a <lora:style:1> robot";
  CHECK_THAT(refusal(unresolved), ContainsSubstring("LoRAs are for the pictures of"));
  CHECK_NOTHROW(generator.check({request(1, {applied("sd1-kohya", 1)})}, EmbeddingTable()));
}

TEST_CASE("generation: a picture's text names its LoRAs by AUTOMATIC1111's hashes") {
  const ImageRequest of = request(1, {applied("sd1-kohya", 0.8), applied("sd1-locon", 0.5)});
  const Infotext text = infotext(of, tiny_bundle(), {}, "sdx", {});
  CHECK(text.prompt == of.prompt);
  CHECK(text.field("Lora hashes") ==
        "sd1-kohya: 4f45b1750b4e, sd1-locon: " + of.settings.loras[1].lora->short_hash);
  CHECK(list_not_taken_over(text).empty());
  CHECK_FALSE(infotext(request(1), tiny_bundle(), {}, "sdx", {}).field("Lora hashes"));
}
