#pragma once

#include <string>
#include <vector>

#include "sdx/generation/image_options.h"
#include "sdx/prompt/styles.h"
#include "sdx/prompt/wildcards.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// How `{a|b}` in a prompt is treated.
enum class DynamicPrompts {
  kRandom,  ///< one choice for each image, by its seed
  kAll,     ///< an image for every combination
  kOff,     ///< text
};

template <>
inline constexpr std::array kEnumTexts<DynamicPrompts> = {
    EnumText<DynamicPrompts>{DynamicPrompts::kRandom, "random"},
    EnumText<DynamicPrompts>{DynamicPrompts::kAll, "all"},
    EnumText<DynamicPrompts>{DynamicPrompts::kOff, "off"}};

/// The files and styles that prompts may refer to, and how.
struct PromptSources {
  std::string styles_file = "styles.csv";  ///< read only if a style is named
  std::string wildcards_folder;            ///< empty: none
  DynamicPrompts dynamic = DynamicPrompts::kRandom;
};

const SettingsTable<PromptSources>& prompt_source_settings();

/// One axis of a grid: a setting and the values that it takes.
struct GridAxis {
  std::string key;  ///< of image_settings(): "cfg", "sampler", …; "prompt" replaces its first value
                    ///< by each
  std::vector<std::string> values;
};

/// Reads "cfg=5,7,9"; where a value has a comma, "|" separates them.
/// @throws SettingError.
GridAxis parse_grid_axis(const std::string& text);

/// An image to make, and what its cell on a contact sheet is called.
struct ImageJob {
  ImageRequest request;
  std::string label;
};

/// Options for how prompts become images.
struct JobSettings {
  int count = 1;                   ///< images of each prompt, seed + 0, 1, …
  std::vector<std::string> names;  ///< for {name}
  DynamicPrompts dynamic = DynamicPrompts::kRandom;
  Wildcards wildcards;
  std::vector<Style> styles;   ///< that may be named
  std::vector<GridAxis> axes;  ///< at most two: columns, rows
  SamplingAdvice advice;       ///< for what was not said
  LoraTable* loras = nullptr;  ///< what prompts may name; outlives this
};

/// Settings with the wildcards and, where a prompt or an axis names a style, the styles.
/// @throws as read_wildcards and read_styles.
JobSettings read_sources(const PromptSources& sources, const std::vector<ImageOptions>& prompts,
                         const std::vector<GridAxis>& axes = {});

/// Reads a prompts file: on each line a prompt, or settings with `--prompt "…"` among them. The
/// names are the keys of image_settings(), and those that AUTOMATIC1111's prompt files have
/// (cfg_scale, negative_prompt, sampler_name, scheduler, width, height, subseed, tiling …). There
/// --seed -1 is "random"; names that we lack are refused with what to do, unless
/// their value changes nothing, as --batch_size 1.
/// @param base what holds where a line says nothing.
/// @throws UsageError naming the line; as read_prompt_lines.
std::vector<ImageOptions> read_prompt_options(const std::string& file, const ImageOptions& base);

/// All images of a prompt: for each name, combination, seed and cell of the grid one; cells change
/// fastest, row by row.
/// @param options its seed is given.
/// @throws UsageError and as the dynamic prompts.
std::vector<ImageJob> make_jobs(const ImageOptions& options, const JobSettings& settings);

}  // namespace sdx
