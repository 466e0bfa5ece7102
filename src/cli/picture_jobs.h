#pragma once

#include <string>
#include <vector>

#include "cli/picture_options.h"
#include "sdx/generation/settings.h"
#include "sdx/prompt/styles.h"
#include "sdx/prompt/wildcards.h"

namespace sdx {

/// What becomes of `{a|b}` in a prompt.
enum class DynamicPrompts {
  kRandom,  ///< one choice for each picture, by its seed
  kAll,     ///< a picture for every combination
  kOff,     ///< text
};

std::string_view to_string(DynamicPrompts dynamic);
/// @throws UsageError that lists them.
DynamicPrompts parse_dynamic_prompts(std::string_view text);

/// What prompts may refer to, and how.
struct PromptSources {
  std::string styles_file = "styles.csv";  ///< read only if a style is named
  std::string wildcards_folder;            ///< empty: none
  DynamicPrompts dynamic = DynamicPrompts::kRandom;
};

/// --styles, --wildcards, --dynamic, in group "Input".
void add_prompt_sources(OptionTable& table, PromptSources& sources);

/// One axis of a grid: an option and the values that it takes.
struct GridAxis {
  std::string option;  ///< "cfg", "sampler", …; "prompt" replaces its first value by each
  std::vector<std::string> values;
};

/// Reads "cfg=5,7,9"; where a value has a comma, "|" separates them.
/// @throws UsageError.
GridAxis parse_grid_axis(const std::string& text);

/// A picture to make, and what its cell on a contact sheet is called.
struct PictureJob {
  ImageRequest request;
  std::string label;
};

/// What turns prompts into pictures.
struct JobSettings {
  int count = 1;                   ///< pictures of each prompt, seed + 0, 1, …
  std::vector<std::string> names;  ///< for {name}
  DynamicPrompts dynamic = DynamicPrompts::kRandom;
  Wildcards wildcards;
  std::vector<Style> styles;   ///< that may be named
  std::vector<GridAxis> axes;  ///< at most two: columns, rows
  double guidance_scale = 7;   ///< where none was said
};

/// Settings with the wildcards and, where a prompt or an axis names a style, the styles.
/// @throws as read_wildcards and read_styles.
JobSettings read_sources(const PromptSources& sources, const std::vector<PictureOptions>& prompts,
                         const std::vector<GridAxis>& axes = {});

/// A prompts file: on each line a prompt, or options with `--prompt "…"` among them.
/// @param base what holds where a line says nothing.
/// @throws UsageError naming the line; as read_prompt_lines.
std::vector<PictureOptions> prompts_of_file(const std::string& file, const PictureOptions& base);

/// All pictures of a prompt: for each name, combination, seed and cell of the grid one; cells
/// change fastest, row by row.
/// @param options its seed is given.
/// @throws UsageError and as the dynamic prompts.
std::vector<PictureJob> jobs_of(const PictureOptions& options, const JobSettings& settings);

}  // namespace sdx
