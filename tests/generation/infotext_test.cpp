#include "sdx/generation/infotext.h"

#include "sdx/cli/infotext_json.h"
#include "sdx/image/metadata.h"
#include "sdx/util/json.h"

#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::tiny_bundle;

namespace {

sdx::ImageRequest request(const std::string& prompt, const std::string& negative = "") {
  sdx::ImageRequest result;
  result.prompt = prompt;
  result.negative_prompt = negative;
  result.seed = 9;
  return result;
}

std::string write_text(const sdx::ImageRequest& of,
                       const sdx::GenerationInfo& generation_info = {}) {
  return format_infotext(
      sdx::infotext(of, tiny_bundle(), {}, "sdx 0.1.0 (abc), libtorch 2", generation_info));
}

}  // namespace

TEST_CASE("generation: infotext is what AUTOMATIC1111 writes and reads", "[generation]") {
  auto made = request("<Ada>, snow", "blurry");
  made.settings.guidance_scale = 7.5;
  const std::string hash = tiny_bundle().short_hash();
  CHECK(hash.size() == 10);
  CHECK(write_text(made) ==
        "<Ada>, snow\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: "
        "9, Size: 64x64, Model hash: " +
            hash + ", Model: tiny, RNG: Philox, Version: \"sdx 0.1.0 (abc), libtorch 2\"");
  CHECK_THAT(write_text(request("snow")), !ContainsSubstring("Negative prompt"));
}

TEST_CASE("generation: infotext names what was done to faces", "[generation]") {
  auto made = request("snow");
  made.settings.faces.prompt = "unused";
  CHECK_THAT(write_text(made), !ContainsSubstring("Face") && !ContainsSubstring("Refine faces"));
  made.settings.faces = {true, "a face, smiling",        0.25, 0.5, 7, 2.5,
                         0.2,  sdx::FaceNames::kLikeness};
  sdx::GenerationInfo done;
  done.faces = {"YuNet", 2};
  CHECK_THAT(write_text(made, done),
             ContainsSubstring("RNG: Philox, Refine faces: True, Face prompt: \"a face, smiling\", "
                               "Face names: likeness, Face strength: 0.5, Face share: 0.2, Face "
                               "confidence: 0.25, Face padding: 7, Face blur: 2.5, Face detector: "
                               "YuNet, Faces refined: 2, Version"));
  CHECK(sdx::list_not_taken_over(sdx::parse_infotext(write_text(made, done))).empty());
}

TEST_CASE("generation: infotext names every setting that is not the usual one", "[generation]") {
  auto made = request("snow");
  made.variation_seed = 3;
  made.variation_strength = 0.25;
  made.settings.sampler.schedule = sdx::ScheduleKind::kKarras;
  made.settings.guidance_rescale = 0.7;
  made.settings.guidance_end = 0.6;
  made.settings.feature_interval = 3;
  made.settings.clip_skip = 2;
  made.settings.tile = true;
  made.settings.grammar = sdx::Grammar::kPlain;
  made.settings.hires = {2, 0.4, 12};
  CHECK_THAT(write_text(made, {{4, 1}}),
             ContainsSubstring(
                 "Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, CFG "
                 "Rescale: 0.7, CFG end: 0.6, DeepCache interval: 3, Seed: 9, Size: 64x64,") &&
                 ContainsSubstring("Variation seed: 3, Variation seed strength: 0.25, Denoising "
                                   "strength: 0.4, Clip skip: 2, Tiling: True, Grammar: plain, "
                                   "Batch size: 4, Batch pos: 1, RNG: Philox, Hires upscale: 2, "
                                   "Hires steps: 12, Hires upscaler: Lanczos, Version"));
  const auto place = sdx::read_batch_place(sdx::parse_infotext(write_text(made, {{4, 1}})));
  REQUIRE(place);
  CHECK(place->size == 4);
  CHECK(place->position == 1);
  CHECK_FALSE(sdx::read_batch_place(sdx::parse_infotext(write_text(made))));
}

TEST_CASE("generation: infotext says how a picture was computed if not as usual", "[generation]") {
  CHECK_THAT(write_text(request("snow"), {{}, at::kBFloat16, 512}),
             ContainsSubstring("Precision: bf16, VAE tile: 512, RNG"));
  CHECK_THAT(write_text(request("snow")), !ContainsSubstring("Precision"));
}

TEST_CASE("generation: the guidance scale of an infotext is exact", "[generation]") {
  auto made = request("snow");
  for (const double scale : {7.0, 0.1, 7.123456789012345, 1e-7}) {
    made.settings.guidance_scale = scale;
    const sdx::Infotext text = sdx::infotext(made, tiny_bundle(), {}, "1", {});
    CHECK(std::stod(text.field("CFG scale").value()) == scale);
  }
}

TEST_CASE("generation: the settings of other programs' pictures are read", "[generation]") {
  const std::filesystem::path folder = std::filesystem::path(SDX_TEST_DATA) / "metadata";
  const sdx::Json expected = sdx::read_json_file(folder / "expected.json")["infotext"];
  for (const std::string name : {"a1111.png", "a1111.jpg", "a1111.webp", "little_endian.jpg"}) {
    CHECK(to_json(sdx::parse_infotext(sdx::read_parameters(folder / name).value())) == expected);
  }
}
