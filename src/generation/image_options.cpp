#include "sdx/generation/image_options.h"

#include <cmath>

#include "generation/face_options.h"
#include "generation/size_text.h"
#include "sdx/generation/vae_decoder_fields.h"
#include "sdx/image/decode.h"
#include "sdx/model/upscaler.h"
#include "sdx/scheduler/sampler_names.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

using settings_detail::read_number;

std::uint64_t parse_seed_number(const std::string& text) {
  if (const auto value = read_number<std::uint64_t>(text)) return *value;
  throw SettingError("seed", "random or a whole number from 0 to 18446744073709551615", text);
}

/// "random", "7", or "+1" and "-1" from the seed that holds so far. Where there is none, "-1" is
/// AUTOMATIC1111's word for "random".
void parse_seed(ImageOptions& options, const std::string& text) {
  if (text == "random" || (text == "-1" && !options.seed)) {
    options.seed.reset();
    return;
  }
  const bool is_relative = text.size() > 1 && (text[0] == '+' || text[0] == '-');
  if (!is_relative) {
    options.seed = parse_seed_number(text);
    return;
  }
  const std::uint64_t distance = parse_seed_number(text.substr(1));
  if (!options.seed) {
    throw UsageError("`seed` " + text + ": there is no seed to count from; `from-image` has one");
  }
  options.seed = text[0] == '+' ? *options.seed + distance : *options.seed - distance;
}

void parse_sigmas(ImageOptions& options, const std::string& text) {
  if (text.empty()) return;
  std::vector<double> levels;
  for (const std::string& sigma : split_list(text, ',')) {
    const auto value = read_number<double>(sigma);
    if (!value || !std::isfinite(*value)) throw SettingError("sigmas", "a number", sigma);
    levels.push_back(*value);
  }
  options.settings.sampler.custom_sigmas = std::move(levels);
  options.settings.sampler.schedule = ScheduleKind::kCustom;
}

std::string sigmas_text(const ImageOptions& options) {
  std::vector<std::string> sigmas;
  for (const double sigma : options.settings.sampler.custom_sigmas) {
    sigmas.push_back(exact_number(sigma));
  }
  return join(sigmas, ", ");
}

void parse_sampler_name(ImageOptions& options, const std::string& text) {
  options.sampler.reset();
  if (text == "auto") return;
  const SamplerChoice choice = parse_sampler_choice(text);
  options.sampler = choice.sampler;
  if (choice.schedule) options.settings.sampler.schedule = *choice.schedule;
}

std::string names_of_samplers() {
  std::vector<std::string> names;
  for (const SamplerInfo& sampler : all_samplers()) names.emplace_back(sampler.typed);
  return join(names, ", ");
}

void parse_guidance(ImageOptions& options, const std::string& text) {
  std::optional<double> value;
  if (text != "auto") {
    value = read_number<double>(text);
    if (!value || !std::isfinite(*value)) throw SettingError("cfg", "auto or a number", text);
  }
  options.guidance_scale = value;
}

std::vector<std::string> sampler_texts() {
  std::vector<std::string> texts = enum_texts<SamplerKind>();
  texts.emplace_back("auto");
  return texts;
}

bool is_custom(const ImageOptions& options) {
  return options.settings.sampler.schedule == ScheduleKind::kCustom;
}

bool has_second_pass(const ImageOptions& options) { return options.settings.hires.scale > 1; }

using Table = SettingsTable<ImageOptions>;
using enum InfotextPlace;
constexpr auto kSettings = &ImageOptions::settings;

template <typename Pointer>
auto sampler_member(Pointer pointer) {
  return nested(kSettings, &ImageSettings::sampler, pointer);
}

template <typename Pointer>
auto hires_member(Pointer pointer) {
  return nested(kSettings, &ImageSettings::hires, pointer);
}

void add_sampling(Table& table) {
  table.group("Sampling");
  table
      .add(kSamplingPresetKey, &ImageOptions::preset,
           "Set `sampler`, `schedule`, `steps` and `cfg` for a model of few steps: lcm, turbo, "
           "lightning, hyper, tcd; these options override it")
      .of_one_call();
  table
      .add("steps", sampler_member(&SamplerSettings::steps), "Number of denoising steps, 1 or more")
      .at_least(1)
      .common()
      .in_images(kBeforeModel, "Steps");
  table
      .add_spelled(
          "sampler",
          [](const ImageOptions& options) {
            return std::string(options.sampler ? to_string(*options.sampler) : "auto");
          },
          parse_sampler_name,
          "Sampler: " + names_of_samplers() +
              "; auto: the model's advice; `list-samplers` explains them")
      .may_be(sampler_texts())
      .also({"sampler_name", "sampler_index"})
      .in_images(kBeforeModel, "Sampler")
      .shown_in_images([](const ImageOptions& options) {
        return std::string(display_name(options.sampler.value_or(SamplingAdvice{}.sampler)));
      });
  table
      .add_spelled(
          "schedule",
          [](const ImageOptions& options) {
            return std::string(to_string(options.settings.sampler.schedule));
          },
          [](ImageOptions& options, const std::string& text) {
            options.settings.sampler.schedule = parse_schedule(text);
          },
          "Noise levels to visit; auto: the usual schedule of the sampler")
      .may_be(enum_texts<ScheduleKind>())
      .also({"scheduler"})
      .in_images(kBeforeModel, "Schedule type",
                 [](const ImageOptions& options) {
                   return !is_custom(options) &&
                          options.settings.sampler.schedule != ScheduleKind::kAuto;
                 })
      .shown_in_images([](const ImageOptions& options) {
        return std::string(display_name(options.settings.sampler.schedule));
      });
  table
      .add_spelled("sigmas", sigmas_text, parse_sigmas,
                   "Use these noise levels, from high to low, for example 14.6,7.1,2.1,0.5")
      .in_images(kBeforeModel, "Sigmas", is_custom);
  table
      .add_spelled(
          "cfg",
          [](const ImageOptions& options) {
            return options.guidance_scale ? exact_number(*options.guidance_scale)
                                          : std::string("auto");
          },
          parse_guidance,
          "Guidance scale: how strictly to follow the prompt; 1: no guidance; auto: the model's "
          "advice")
      .also({"cfg_scale"})
      .common()
      .in_images(kBeforeModel, "CFG scale");
  table
      .add("cfg-rescale", nested(kSettings, &ImageSettings::guidance_rescale),
           "Reduce burnt colours at a high `cfg`, from 0 (off) to 1")
      .within(0, 1)
      .in_images(kBeforeModel, "CFG Rescale", [](const ImageOptions& options) {
        return options.settings.guidance_rescale != 0;
      });
  table.group("Nearly the same picture, sooner");
  table
      .add("cfg-end", nested(kSettings, &ImageSettings::guidance_end),
           "Guide only this share of the steps, from 0 to 1; the others take half as long")
      .within(0, 1)
      .in_images(kBeforeModel, "CFG end",
                 [](const ImageOptions& options) { return options.settings.guidance_end != 1; });
  table
      .add("reuse-features", nested(kSettings, &ImageSettings::feature_interval),
           "Compute the deep layers of the UNet once in N evaluations; 1: in each")
      .within(1, 1000)
      .in_images(kBeforeModel, "DeepCache interval", [](const ImageOptions& options) {
        return options.settings.feature_interval != 1;
      });
  // Its file need not lie here under this name: read_infotext() looks whether it does.
  table
      .add("vae-approx", nested(kSettings, &ImageSettings::vae_approx),
           "Decode by this tiny autoencoder (TAESD, TAESDXL), a file or its name among the models")
      .path()
      .in_images(kBehindModel, kVaeDecoderField,
                 [](const ImageOptions& options) { return !options.settings.vae_approx.empty(); })
      .shown_in_images([](const ImageOptions&) { return std::string(kTinyDecoder); })
      .not_read_from_images();
}

void add_noise_and_size(Table& table) {
  table.group("Picture");
  table
      .add_spelled(
          "seed",
          [](const ImageOptions& options) {
            return options.seed ? std::to_string(*options.seed) : std::string("random");
          },
          parse_seed, "Random seed of the noise; +1: the next seed after that of `from-image`")
      .common()
      .in_images(kBeforeModel, "Seed");
  table
      .add_spelled(
          "size",
          [](const ImageOptions& options) {
            return size_text({options.settings.width_px, options.settings.height_px});
          },
          [](ImageOptions& options, const std::string& text) {
            const ImageSize size = parse_size("size", text);
            options.settings.width_px = size.width_px;
            options.settings.height_px = size.height_px;
          },
          "Size in pixels, WIDTHxHEIGHT, divisible by 8; auto: the model's native size")
      .common()
      .in_images(kBeforeModel, "Size");
  table.add_spelled(
      "aspect", [](const ImageOptions& options) { return aspect_text(options.settings.aspect); },
      [](ImageOptions& options, const std::string& text) {
        options.settings.aspect = parse_aspect(text);
      },
      "Shape where `size` is auto, WIDTH:HEIGHT, for example 3:4; auto: a square");
  const auto is_varied = [](const ImageOptions& options) { return options.variation_strength > 0; };
  table
      .add("variation-seed", &ImageOptions::variation_seed,
           "Seed of the noise to mix in by `variation-strength`")
      .also({"subseed"})
      .in_images(kBehindModel, "Variation seed", is_varied);
  table
      .add("variation-strength", &ImageOptions::variation_strength,
           "Mix in the noise of `variation-seed`, from 0 (none) to 1 (nothing else)")
      .also({"subseed_strength"})
      .within(0, 1)
      .in_images(kBehindModel, "Variation seed strength", is_varied);
}

void add_start(Table& table) {
  table.group("From pictures");
  table.add("init-image", &ImageOptions::start_image, "Start from this picture, cropped to `size`")
      .path();
  // AUTOMATIC1111 has one strength: of the second pass, if there is one.
  table
      .add("hires-strength", hires_member(&HiresSettings::strength),
           "How much the second pass may change, from 0 to 1")
      .within(0, 1)
      .in_images(kBehindModel, "Denoising strength", has_second_pass)
      .named_in_images([](const ImageOptions& options) {
        return has_second_pass(options) ? "Denoising strength" : "";
      });
  table
      .add("strength", nested(kSettings, &ImageSettings::strength),
           "How much of `init-image` may change, from 0 to 1")
      .within(0, 1)
      .in_images(kBehindModel, "Start strength",
                 [](const ImageOptions& options) { return options.settings.start != nullptr; })
      .named_in_images([](const ImageOptions& options) {
        return has_second_pass(options) ? "Start strength" : "Denoising strength";
      });
  table
      .add("mask", &ImageOptions::mask,
           "Picture: white areas of `init-image` are made anew, black areas stay")
      .path()
      .in_images(kBehindModel, "Mask",
                 [](const ImageOptions& options) {
                   return options.settings.start != nullptr && options.settings.start->mask;
                 })
      .shown_in_images([](const ImageOptions&) { return std::string("True"); })
      .not_read_from_images();
}

/// What Stable Diffusion XL is told of an image's place in a larger one.
void add_place(Table& table) {
  table.group("Stable Diffusion XL");
  const auto size_row = [&](const char* key, ImageSize ImagePlace::*member, const char* help,
                            const char* name) {
    table
        .add_spelled(
            key,
            [member](const ImageOptions& options) {
              return size_text(options.settings.place.*member);
            },
            [member, key](ImageOptions& options, const std::string& text) {
              options.settings.place.*member = parse_size(key, text);
            },
            help)
        .in_images(kBehindModel, name, [member](const ImageOptions& options) {
          return options.settings.place.*member != ImageSize{};
        });
  };
  size_row("original-size", &ImagePlace::original,
           "Tell the model that the picture was this large; a small size makes it look like one",
           "Original size");
  size_row("target-size", &ImagePlace::target,
           "Tell the model that this size was asked for; auto: the picture's size", "Target size");
  table
      .add_spelled(
          "crop-corner",
          [](const ImageOptions& options) {
            const ImagePlace& place = options.settings.place;
            return std::to_string(place.left_px) + "," + std::to_string(place.top_px);
          },
          [](ImageOptions& options, const std::string& text) {
            const CropCorner corner = parse_crop_corner(text);
            options.settings.place.left_px = corner.left_px;
            options.settings.place.top_px = corner.top_px;
          },
          "Tell the model that this much was cut away, LEFT,TOP in pixels")
      .in_images(kBehindModel, "Crop corner", [](const ImageOptions& options) {
        return options.settings.place.left_px != 0 || options.settings.place.top_px != 0;
      });
  table
      .add("empty-negative", nested(kSettings, &ImageSettings::empty_negative),
           "Meaning of an empty negative prompt: zeros, the text encoders' output (text), or auto: "
           "what the model advises")
      .in_images(kBehindModel, "Empty negative", [](const ImageOptions& options) {
        return options.settings.empty_negative != EmptyNegative::kAuto;
      });
}

void add_reading(Table& table) {
  table.group("Sampling");
  table
      .add("clip-skip", nested(kSettings, &ImageSettings::clip_skip),
           "Layer of the text encoder to use, counted from its end; 1: the last")
      .at_least(1)
      .in_images(kBehindModel, "Clip skip",
                 [](const ImageOptions& options) { return options.settings.clip_skip != 1; });
  table.group("Picture");
  table
      .add("tile", nested(kSettings, &ImageSettings::tile),
           "Make a seamless tile, whose opposite edges fit each other")
      .also({"tiling"})
      .in_images(kBehindModel, "Tiling",
                 [](const ImageOptions& options) { return options.settings.tile; })
      .shown_in_images([](const ImageOptions&) { return std::string("True"); });
  table
      .add("grammar", nested(kSettings, &ImageSettings::grammar),
           "a1111: (weights:1.2), [edits:like this:0.5], AND, BREAK; plain: all but <Name> is text")
      .in_images(kBehindModel, "Grammar", [](const ImageOptions& options) {
        return options.settings.grammar != Grammar::kA1111;
      });
  table
      .add("negative", &ImageOptions::negative, "Negative prompt: what the picture should not show")
      .also({"negative_prompt"})
      .common();
  table.add("style", &ImageOptions::styles,
            "Apply these styles from the file `styles`, in this order");
  table.add("lora", &ImageOptions::loras, "Use this LoRA, FILE or NAME, with :STRENGTH behind it")
      .for_lines_only();
  table.add("prompt", &ImageOptions::prompt, "What is to be seen").for_lines_only();
  table.add("width", nested(kSettings, &ImageSettings::width_px), "Pixels")
      .within(0, kMostPixels)
      .for_lines_only();
  table.add("height", nested(kSettings, &ImageSettings::height_px), "Pixels")
      .within(0, kMostPixels)
      .for_lines_only();
}

void add_second_pass(Table& table) {
  table.group("From pictures");
  table
      .add("hires", hires_member(&HiresSettings::scale),
           "Make the picture this many times larger in a second pass")
      .within(1, 8)
      .in_images(kLast, "Hires upscale", has_second_pass);
  table
      .add("hires-steps", hires_member(&HiresSettings::steps),
           "Number of steps of the second pass; 0: as `steps`")
      .at_least(0)
      .in_images(kLast, "Hires steps", [](const ImageOptions& options) {
        return has_second_pass(options) && options.settings.hires.steps != 0;
      });
}

void add_upscale(Table& table) {
  table.group("From pictures");
  // Its file need not lie here under this name: read_infotext() looks whether it does.
  table
      .add("upscale", nested(kSettings, &ImageSettings::upscale),
           "Make the finished picture larger by this ESRGAN network: a file, or a name among the "
           "models, as cartoon-4x")
      .path()
      .in_images(kLast, kUpscalerField,
                 [](const ImageOptions& options) { return !options.settings.upscale.empty(); })
      .shown_in_images(
          [](const ImageOptions& options) { return upscaler_name(options.settings.upscale); })
      .not_read_from_images();
}

Image read_image(const std::string& setting, const std::string& file) {
  try {
    return decode_image(file).image;
  } catch (const DataError& error) {
    throw DataError("`" + setting + "` " + file + ": " + error.what());
  }
}

}  // namespace

const SettingsTable<ImageOptions>& image_settings() {
  static const Table kTable = [] {
    Table table;
    add_sampling(table);
    add_noise_and_size(table);
    add_start(table);
    add_place(table);
    add_reading(table);
    add_second_pass(table);
    add_face_settings(table);
    add_upscale(table);
    return table;
  }();
  return kTable;
}

ImageRequest make_request(const ImageOptions& options, const SamplingAdvice& advice,
                          LoraTable* loras) {
  ImageRequest request;
  request.prompt = options.prompt;
  request.negative_prompt = options.negative;
  request.seed = options.seed.value_or(0);
  request.variation_seed = options.variation_seed;
  request.variation_strength = options.variation_strength;
  request.settings = options.settings;
  request.settings.guidance_scale = options.guidance_scale.value_or(advice.guidance_scale);
  request.settings.sampler.sampler = options.sampler.value_or(advice.sampler);
  if (loras != nullptr) {
    resolve_loras(request, options.loras, *loras);
  } else if (!options.loras.empty()) {
    throw UsageError("`lora`: only sdx-generate makes pictures with LoRAs; leave it out");
  }
  if (!options.mask.empty() && options.start_image.empty()) {
    throw UsageError("`mask` needs an `init-image` to keep a part of");
  }
  check_face_settings(request);
  if (!options.start_image.empty()) {
    auto start = std::make_shared<StartImage>();
    start->image = read_image("init-image", options.start_image);
    if (!options.mask.empty()) start->mask = read_image("mask", options.mask);
    request.settings.start = start;
  }
  return request;
}

ImageOptions to_options(const ImageRequest& request) {
  ImageOptions options;
  options.prompt = request.prompt;
  options.negative = request.negative_prompt;
  options.seed = request.seed;
  options.guidance_scale = request.settings.guidance_scale;
  options.sampler = request.settings.sampler.sampler;
  options.variation_seed = request.variation_seed;
  options.variation_strength = request.variation_strength;
  options.settings = request.settings;
  return options;
}

}  // namespace sdx
