#include "sdx/generation/image_options.h"

#include <set>

#include "sdx/generation/infotext.h"
#include "sdx/util/error.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::tiny_bundle;

namespace sdx {

namespace {

/// Every setting of an image that its text can hold, none at its default.
ImageOptions unusual() {
  ImageOptions options;
  options.prompt = "<Ada>, [a,b]";
  options.negative = "--steps=3";
  options.seed = 18446744073709551615ULL;
  options.guidance_scale = 4.25;
  options.variation_seed = 3;
  options.variation_strength = 0.125;
  ImageSettings& settings = options.settings;
  settings.sampler.sampler = SamplerKind::kEulerAncestral;
  settings.sampler.schedule = ScheduleKind::kSgmUniform;
  settings.sampler.steps = 7;
  settings.guidance_rescale = 0.5;
  settings.guidance_end = 0.25;
  settings.feature_interval = 3;
  settings.width_px = 64;
  settings.height_px = 96;
  settings.clip_skip = 2;
  settings.tile = true;
  settings.grammar = Grammar::kPlain;
  settings.hires = {2, 0.375, 9};
  return options;
}

bool nothing_given(const std::string& /*key*/) { return false; }

}  // namespace

TEST_CASE("image options: what an image's text says gives the request again") {
  const ImageOptions options = unusual();
  const ImageRequest request = make_request(options, 7);
  const Infotext written = infotext(request, tiny_bundle(), {}, "sdx", {});
  ImageOptions read;
  read_infotext(parse_infotext(format_infotext(written)), read, nothing_given);
  CHECK(make_request(read, 7) == request);
  CHECK(Settings(image_settings(), read).to_json() ==
        Settings(image_settings(), *std::make_unique<ImageOptions>(options)).to_json());
}

TEST_CASE("image options: custom noise levels come back from an image's text") {
  ImageOptions options = unusual();
  Settings(image_settings(), options).at("sigmas").set_text("14.6,7.1, 0.5");
  const ImageRequest request = make_request(options, 7);
  CHECK(request.settings.sampler.custom_sigmas == std::vector<double>{14.6, 7.1, 0.5});
  ImageOptions read;
  read_infotext(infotext(request, tiny_bundle(), {}, "sdx", {}), read, nothing_given);
  CHECK(make_request(read, 7) == request);
}

TEST_CASE("image options: what is known from elsewhere is not looked at in an image's text") {
  const Infotext text{"snow", "hat", {{"Steps", "0"}, {"Sampler", "DPM adaptive"}, {"Seed", "-1"}}};
  ImageOptions options;
  options.settings.sampler.steps = 5;
  const std::set<std::string> given = {"steps", "sampler", "seed", "negative"};
  read_infotext(text, options, [&](const std::string& key) { return given.contains(key); });
  CHECK(options.prompt == "snow");
  CHECK(options.negative.empty());
  CHECK(options.settings.sampler.steps == 5);
  CHECK_THROWS_AS(read_infotext(text, options, nothing_given), UsageError);
}

TEST_CASE("image options: AUTOMATIC1111's one strength is the second pass's, if there is one") {
  ImageOptions options;
  read_infotext({"", "", {{"Denoising strength", "0.3"}}}, options, nothing_given);
  CHECK(options.settings.strength == 0.3);
  CHECK(options.settings.hires.strength == 0.5);
  options = {};
  read_infotext({"", "", {{"Denoising strength", "0.3"}, {"Hires upscale", "2"}}}, options,
                nothing_given);
  CHECK(options.settings.strength == 0.75);
  CHECK(options.settings.hires.strength == 0.3);
  options = {};
  read_infotext(
      {"", "", {{"Denoising strength", "0.3"}, {"Start strength", "0.6"}, {"Hires upscale", "2"}}},
      options, nothing_given);
  CHECK(options.settings.strength == 0.6);
  CHECK(options.settings.hires.strength == 0.3);
}

TEST_CASE("image options: a sampler's name may bring its schedule") {
  ImageOptions options;
  const Settings settings(image_settings(), options);
  settings.at("sampler_name").set_text("DPM++ 2M Karras");
  CHECK(options.settings.sampler.sampler == SamplerKind::kDpmpp2m);
  CHECK(options.settings.sampler.schedule == ScheduleKind::kKarras);
}

TEST_CASE("image options: seeds count on, sizes and guidance have words of their own") {
  ImageOptions options;
  const Settings settings(image_settings(), options);
  CHECK_THROWS_AS(settings.at("seed").set_text("+1"), UsageError);
  CHECK_THROWS_AS(settings.at("seed").set_text("-2"), UsageError);
  settings.at("seed").set_text("-1");  // AUTOMATIC1111's "random"
  CHECK_FALSE(options.seed);
  settings.at("seed").set_text("7");
  settings.at("seed").set_text("+3");
  CHECK(options.seed == 10);
  settings.at("seed").set_text("-1");
  CHECK(options.seed == 9);
  settings.at("seed").set_text("random");
  CHECK_FALSE(options.seed);
  settings.at("cfg").set_text("4.5");
  CHECK(options.guidance_scale == 4.5);
  settings.at("cfg").set_text("auto");
  CHECK_FALSE(options.guidance_scale);
  settings.at("size").set_text("64x96");
  CHECK(settings.at("size").to_text() == "64x96");
  settings.at("size").set_text("auto");
  CHECK(options.settings.width_px == 0);
  CHECK_THROWS_AS(settings.at("width").set_text("65537"), SettingError);
  for (const char* wrong :
       {"65537x64", "99999999999x64", "64", "64x", "0x64", "64x64x64", "64 x 64px"}) {
    INFO(wrong);
    CHECK_THROWS_AS(settings.at("size").set_text(wrong), SettingError);
  }
  settings.at("cfg").set_text("4.5");
  CHECK_THROWS_AS(settings.at("cfg").set_text("inf"), SettingError);
  CHECK(options.guidance_scale == 4.5);
}

TEST_CASE("image options: every row has a help, and no two rows have one name") {
  std::set<std::string> names;
  for (const auto& row : image_settings().rows()) {
    INFO(row.info.key);
    CHECK_FALSE(row.info.help.empty());
    CHECK(names.insert(row.info.key).second);
    for (const std::string& other : row.info.other_names) CHECK(names.insert(other).second);
  }
}

}  // namespace sdx
