#include "cli/picture_options.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

#include "sdx/image/decode.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// A number of a list "14.6,7.1,0".
double parse_number(const std::string& option, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value))
    return value;
  throw UsageError(option + ": expected a number, found \"" + text + "\"");
}

void parse_size(const std::string& text, PictureSettings& settings) {
  int width_px = 0;
  int height_px = 0;
  char rest = 0;
  if (text != "auto") {
    const int fields = std::sscanf(text.c_str(), "%dx%d%c", &width_px, &height_px, &rest);
    if (fields != 2 || width_px < 1 || height_px < 1) {
      throw UsageError("--size: expected WIDTHxHEIGHT, for example 512x512; found \"" + text +
                       "\"");
    }
  }
  settings.width_px = width_px;
  settings.height_px = height_px;
}

std::string size_text(const PictureSettings& settings) {
  if (settings.width_px == 0) return "auto";
  return std::to_string(settings.width_px) + "x" + std::to_string(settings.height_px);
}

std::uint64_t parse_whole(const std::string& option, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  throw UsageError(option +
                   ": expected random or a whole number from 0 to 18446744073709551615, found \"" +
                   text + "\"");
}

/// "random", "7", or "+1" and "-1" from the seed that holds so far.
std::optional<std::uint64_t> parse_seed(const std::string& text,
                                        std::optional<std::uint64_t> so_far) {
  if (text == "random") return std::nullopt;
  const bool is_relative = text.size() > 1 && (text[0] == '+' || text[0] == '-');
  if (!is_relative) return parse_whole("--seed", text);
  const std::uint64_t distance = parse_whole("--seed", text.substr(1));
  if (!so_far) {
    throw UsageError("--seed " + text + ": there is no seed to count from; --from-image has one");
  }
  return text[0] == '+' ? *so_far + distance : *so_far - distance;
}

void parse_sigmas(const std::string& text, SamplerSettings& sampler) {
  sampler.custom_sigmas.clear();
  for (const std::string& sigma : split_list(text, ',')) {
    sampler.custom_sigmas.push_back(parse_number("--sigmas", sigma));
  }
  sampler.schedule = ScheduleKind::kCustom;
}

void parse_sampler_option(const std::string& text, SamplerSettings& sampler) {
  const SamplerChoice choice = parse_sampler_choice(text);
  sampler.sampler = choice.sampler;
  if (choice.schedule) sampler.schedule = *choice.schedule;
}

std::string names_of_samplers() {
  std::vector<std::string> names;
  for (const SamplerInfo& sampler : all_samplers()) names.emplace_back(sampler.typed);
  return join(names, ", ");
}

void add_sampling_options(OptionTable& table, PictureOptions& options) {
  PictureSettings& settings = options.settings;
  const std::string group = "Sampling";
  table.add(group, "--steps", settings.sampler.steps, "Evaluations of the model")
      ->check(CLI::PositiveNumber);
  table.add_parsed(
      group, "--sampler", std::string(to_string(settings.sampler.sampler)),
      [&](const std::string& text) { parse_sampler_option(text, settings.sampler); },
      names_of_samplers() + "; --list-samplers says more");
  table.add_parsed(
      group, "--schedule", std::string(to_string(settings.sampler.schedule)),
      [&](const std::string& text) {
        settings.sampler.schedule = parse_enum<ScheduleKind>(text, "schedule");
      },
      "Which noise levels are visited; auto: what the sampler is used with");
  table.add_parsed(
      group, "--sigmas", "", [&](const std::string& text) { parse_sigmas(text, settings.sampler); },
      "Noise levels of your own, falling, for example 14.6,7.1,2.1,0.5");
  table.add_parsed(
      group, "--cfg",
      options.guidance_scale ? CLI::detail::to_string(*options.guidance_scale) : "auto",
      [&](const std::string& text) {
        options.guidance_scale.reset();
        if (text != "auto") options.guidance_scale = parse_number("--cfg", text);
      },
      "How strictly the prompt is followed (guidance scale); 1: unguided; auto: the model's "
      "advice");
  table
      .add(group, "--cfg-rescale", settings.guidance_rescale,
           "Against washed-out or burnt colours at a high --cfg, 0 to 1")
      ->check(CLI::Range(0.0, 1.0));
  table
      .add(group, "--clip-skip", settings.clip_skip,
           "Layer of the text encoder, counted from its end")
      ->check(CLI::PositiveNumber);
}

void add_approximations(OptionTable& table, PictureOptions& options) {
  PictureSettings& settings = options.settings;
  const std::string group = "Nearly the same picture, sooner";
  table
      .add(group, "--cfg-end", settings.guidance_end,
           "Share of the steps that are guided, from the first; the others take half as long")
      ->check(CLI::Range(0.0, 1.0));
  table
      .add(group, "--reuse-features", settings.feature_interval,
           "Compute the whole UNet once in so many evaluations, else its shallow layers; 1: always")
      ->check(CLI::Range(1, 1000));
}

void add_start_options(OptionTable& table, PictureOptions& options) {
  PictureSettings& settings = options.settings;
  table.add("From pictures", "--init-image", options.start_image,
            "Begin with this picture, cropped to --size");
  table
      .add("From pictures", "--strength", settings.strength,
           "How much of --init-image may change, 0 to 1")
      ->check(CLI::Range(0.0, 1.0));
  table.add("From pictures", "--mask", options.mask,
            "White where --init-image is to be made anew, black where it stays");
  table
      .add("From pictures", "--hires", settings.hires.scale,
           "Make the picture this many times larger in a second pass")
      ->check(CLI::Range(1.0, 8.0));
  table
      .add("From pictures", "--hires-strength", settings.hires.strength,
           "How much the second pass may change, 0 to 1")
      ->check(CLI::Range(0.0, 1.0));
  table
      .add("From pictures", "--hires-steps", settings.hires.steps,
           "Steps of the second pass; 0: as --steps")
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_picture_options(OptionTable& table, PictureOptions& options) {
  PictureSettings& settings = options.settings;
  table.add("Picture", "--negative", options.negative, "What should not be seen");
  table.add("Picture", "--style", options.styles, "Names of styles from --styles, in this order");
  table.add_parsed(
      "Picture", "--grammar", std::string(to_string(settings.grammar)),
      [&](const std::string& text) { settings.grammar = parse_enum<Grammar>(text, "grammar"); },
      "a1111: (weights:1.2), [edits:like this:0.5], AND, BREAK; plain: all but <Name> is text");
  table.add_parsed(
      "Picture", "--seed", options.seed ? std::to_string(*options.seed) : "random",
      [&](const std::string& text) { options.seed = parse_seed(text, options.seed); },
      "Of the noise; +1 counts on from --from-image");
  table.add_parsed(
      "Picture", "--variation-seed", std::to_string(options.variation_seed),
      [&](const std::string& text) {
        options.variation_seed = parse_whole("--variation-seed", text);
      },
      "The noise towards which --variation-strength goes");
  table
      .add("Picture", "--variation-strength", options.variation_strength,
           "0: the noise of --seed; 1: that of --variation-seed")
      ->check(CLI::Range(0.0, 1.0));
  table.add_parsed(
      "Picture", "--size", size_text(settings),
      [&](const std::string& text) { parse_size(text, settings); },
      "WIDTHxHEIGHT in pixels, divisible by 8; auto: the model's native size");
  table.add_flag("Picture", "--tile", settings.tile, "A picture whose edges fit each other");
  add_sampling_options(table, options);
  add_approximations(table, options);
  add_start_options(table, options);
}

void apply_arguments(std::vector<std::string> arguments, const std::string& where,
                     PictureOptions& options) {
  static const std::map<std::string, std::string> kOtherNames = {
      {"--cfg_scale", "--cfg"},
      {"--negative_prompt", "--negative"},
      {"--sampler_name", "--sampler"},
      {"--scheduler", "--schedule"},
  };
  for (std::string& argument : arguments) {
    const auto other = kOtherNames.find(argument);
    if (other != kOtherNames.end()) argument = other->second;
  }
  OptionTable table("sdx-generate", "", "");
  table.add("Input", "--prompt", options.prompt, "");
  table.add("Picture", "--width", options.settings.width_px, "");
  table.add("Picture", "--height", options.settings.height_px, "");
  add_picture_options(table, options);
  std::vector<const char*> pointers = {"sdx-generate"};
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  try {
    table.parse(static_cast<int>(pointers.size()), pointers.data());
  } catch (const TextAnswer&) {
    throw UsageError(where + ": not a place for --help");
  } catch (const Error& error) {
    throw UsageError(where + ": " + error.what());
  }
}

std::vector<std::string> arguments_of(const Infotext& infotext) {
  static const std::vector<std::pair<std::string, std::string>> kFields = {
      {"Steps", "--steps"},
      {"Sampler", "--sampler"},
      {"Schedule type", "--schedule"},
      {"Sigmas", "--sigmas"},
      {"CFG scale", "--cfg"},
      {"CFG Rescale", "--cfg-rescale"},
      {"CFG end", "--cfg-end"},
      {"DeepCache interval", "--reuse-features"},
      {"Seed", "--seed"},
      {"Variation seed", "--variation-seed"},
      {"Variation seed strength", "--variation-strength"},
      {"Size", "--size"},
      {"Clip skip", "--clip-skip"},
      {"Hires upscale", "--hires"},
      {"Hires steps", "--hires-steps"},
      {"Start strength", "--strength"},
      {"Grammar", "--grammar"},
  };
  // With "=", as a text may begin with a dash.
  std::vector<std::string> arguments = {"--prompt=" + infotext.prompt};
  if (!infotext.negative_prompt.empty()) {
    arguments.push_back("--negative=" + infotext.negative_prompt);
  }
  for (const auto& [key, option] : kFields) {
    if (const auto value = infotext.field(key)) {
      arguments.push_back(option + "=" + *value);
    }
  }
  if (const auto strength = infotext.field("Denoising strength")) {
    const bool is_second_pass = infotext.field("Hires upscale").has_value();
    arguments.push_back((is_second_pass ? "--hires-strength=" : "--strength=") + *strength);
  }
  if (infotext.field("Tiling") == "True") arguments.push_back("--tile");
  return arguments;
}

Image read_picture(const std::string& option, const std::string& file) {
  try {
    return decode_image(file).image;
  } catch (const DataError& error) {
    throw DataError(option + " " + file + ": " + error.what());
  }
}

ImageRequest request_of(const PictureOptions& options, double guidance_scale) {
  ImageRequest request;
  request.prompt = options.prompt;
  request.negative_prompt = options.negative;
  request.seed = options.seed.value_or(0);
  request.variation_seed = options.variation_seed;
  request.variation_strength = options.variation_strength;
  request.settings = options.settings;
  request.settings.guidance_scale = options.guidance_scale.value_or(guidance_scale);
  if (!options.mask.empty() && options.start_image.empty()) {
    throw UsageError("--mask needs an --init-image to keep a part of");
  }
  if (!options.start_image.empty()) {
    auto start = std::make_shared<StartImage>();
    start->image = read_picture("--init-image", options.start_image);
    if (!options.mask.empty()) start->mask = read_picture("--mask", options.mask);
    request.settings.start = start;
  }
  return request;
}

}  // namespace sdx
