#include "sdx/generation/image_options.h"

#include <set>

#include "sdx/generation/image_size.h"
#include "sdx/generation/infotext.h"
#include "sdx/util/error.h"
#include "sdx/util/units.h"
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
  options.sampler = SamplerKind::kEulerAncestral;
  options.variation_seed = 3;
  options.variation_strength = 0.125;
  ImageSettings& settings = options.settings;
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
  settings.place = {{1333, 1027}, 12, 34, {600, 500}};
  settings.empty_negative = EmptyNegative::kText;
  return options;
}

bool nothing_given(const std::string& /*key*/) { return false; }

}  // namespace

TEST_CASE("image options: what an image's text says gives the request again") {
  const bool has_faces = GENERATE(false, true);
  ImageOptions options = unusual();
  if (has_faces) {
    options.settings.tile = false;
    options.settings.faces = {true,   "a face: {name}, \"smiling\"", 0.25, 0.625, 7, 2.5,
                              0.0625, FaceNames::kLikeness};
  }
  const ImageRequest request = make_request(options, {7});
  const Infotext written = infotext(request, tiny_bundle(), {}, "sdx", {});
  ImageOptions read;
  read_infotext(parse_infotext(format_infotext(written)), read, nothing_given);
  CHECK(make_request(read, {7}) == request);
  CHECK(Settings(image_settings(), read).to_json() ==
        Settings(image_settings(), *std::make_unique<ImageOptions>(options)).to_json());
}

TEST_CASE("image options: custom noise levels come back from an image's text") {
  ImageOptions options = unusual();
  Settings(image_settings(), options).at("sigmas").set_text("14.6,7.1, 0.5");
  const ImageRequest request = make_request(options, {7});
  CHECK(request.settings.sampler.custom_sigmas == std::vector<double>{14.6, 7.1, 0.5});
  ImageOptions read;
  read_infotext(infotext(request, tiny_bundle(), {}, "sdx", {}), read, nothing_given);
  CHECK(make_request(read, {7}) == request);
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
  CHECK(options.sampler == SamplerKind::kDpmpp2m);
  CHECK(options.settings.sampler.schedule == ScheduleKind::kKarras);
}

TEST_CASE("image options: what is left open is the model's advice") {
  ImageOptions options;
  const SamplingAdvice advice = {3, SamplerKind::kLcm};
  const auto choose = [&] {
    const ImageSettings settings = make_request(options, advice).settings;
    return short_number(settings.guidance_scale) + " " +
           std::string(to_string(settings.sampler.sampler));
  };
  CHECK(choose() == "3 lcm");
  const Settings settings(image_settings(), options);
  CHECK(settings.at("sampler").to_text() == "auto");
  settings.at("sampler").set_text("Heun");
  CHECK(choose() == "3 heun");
  settings.at("sampler").set_text("auto");
  settings.at("cfg").set_text("1");
  CHECK(choose() == "1 lcm");
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

TEST_CASE("image options: a shape has about the native area, in the sizes of SDXL's training") {
  ImageOptions options;
  const Settings settings(image_settings(), options);
  BundleInfo info = tiny_bundle().info();
  info.native_size_px = 1024;
  const auto size = [&](const std::string& aspect) {
    settings.at("aspect").set_text(aspect);
    return image_size(options.settings, info);
  };
  CHECK(size("auto") == ImageSize{1024, 1024});
  CHECK(size("3:4") == ImageSize{896, 1152});
  CHECK(size("2:3") == ImageSize{832, 1216});
  CHECK(size("16:9") == ImageSize{1344, 768});
  CHECK(size("21:9") == ImageSize{1536, 640});
  CHECK(size("8:1") == ImageSize{2880, 384});
  info.native_size_px = 512;
  CHECK(size("3:4") == ImageSize{448, 576});
  info.native_size_px = 128;
  CHECK(size("1:2") == ImageSize{88, 176});
  options.settings.width_px = 64;  // what is said of a size holds
  options.settings.height_px = 32;
  CHECK(size("3:4") == ImageSize{64, 32});
  CHECK(settings.at("aspect").to_text() == "0.75:1");
  for (const char* aspect : {"2:3", "1.5:1", "21:9", "auto"}) {
    settings.at("aspect").set_text(aspect);
    const double value = options.settings.aspect;
    settings.at("aspect").set_text(settings.at("aspect").to_text());
    CHECK(options.settings.aspect == value);
  }
  for (const char* wrong :
       {"3", "0:4", "-3:4", "3:0", "9:1", "3:4:5", "3/4", "", "nan:1", "inf:inf", ":", "3:"}) {
    INFO(wrong);
    CHECK_THROWS_AS(settings.at("aspect").set_text(wrong), SettingError);
  }
}

TEST_CASE("image options: what SDXL is told of a place has words of its own") {
  ImageOptions options;
  const Settings settings(image_settings(), options);
  settings.at("original-size").set_text("640x480");
  settings.at("crop-corner").set_text("12,34");
  CHECK(options.settings.place == ImagePlace{{640, 480}, 34, 12, {}});
  settings.at("original-size").set_text("auto");
  CHECK(options.settings.place.original == ImageSize{});
  for (const char* wrong : {"12", "-1,0", "0,-1", "1,2,3", "70000,0"}) {
    INFO(wrong);
    CHECK_THROWS_AS(settings.at("crop-corner").set_text(wrong), SettingError);
  }
  CHECK(options.settings.place == ImagePlace{{}, 34, 12, {}});  // as it was
  CHECK_THROWS_AS(settings.at("target-size").set_text("64"), SettingError);
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
