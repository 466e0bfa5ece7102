#include "cli/picture_jobs.h"

#include <algorithm>

#include "sdx/prompt/dynamic.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::uint64_t kMostCombinations = 10'000;

PictureOptions at_value(PictureOptions options, const GridAxis& axis, const std::string& value) {
  if (axis.option == "prompt") {
    const std::string& sought = axis.values.front();
    if (options.prompt.find(sought) == std::string::npos) {
      throw UsageError("--xy prompt=" + sought + ",…: the first value is replaced by each, but \"" +
                       sought + "\" is not in the prompt \"" + options.prompt + "\"");
    }
    options.prompt = replace_all(options.prompt, sought, value);
  } else {
    apply_arguments({"--" + axis.option + "=" + value}, "--xy " + axis.option + "=" + value,
                    options);
  }
  return options;
}

struct Cell {
  PictureOptions options;
  std::string label;  ///< empty without axes
};

/// The cells of a grid, row by row; without axes the picture alone.
std::vector<Cell> cells_of(const PictureOptions& options, const std::vector<GridAxis>& axes) {
  std::vector<Cell> cells = {{options, ""}};
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    std::vector<Cell> next;
    for (const Cell& cell : cells) {
      for (const std::string& value : axis->values) {
        const std::string text = axis->option + " " + value;
        next.push_back({at_value(cell.options, *axis, value),
                        cell.label.empty() ? text : text + ", " + cell.label});
      }
    }
    cells = std::move(next);
  }
  return cells;
}

std::vector<std::string> texts_of(const std::string& prompt, const JobSettings& settings) {
  std::vector<std::string> texts = {prompt};
  if (settings.dynamic == DynamicPrompts::kAll) {
    texts = all_combinations(prompt, settings.wildcards, kMostCombinations);
  }
  return fill_names(texts, settings.names);
}

PictureOptions with_seed(PictureOptions options, std::uint64_t seed, const JobSettings& settings) {
  options.seed = seed;
  if (settings.dynamic == DynamicPrompts::kRandom) {
    options.prompt = expand_random(options.prompt, settings.wildcards, seed);
    options.negative = expand_random(options.negative, settings.wildcards, seed);
  }
  return options;
}

PictureOptions styled(PictureOptions options, const JobSettings& settings) {
  const StyledPrompt texts =
      apply_styles({options.prompt, options.negative}, options.styles, settings.styles);
  options.prompt = texts.prompt;
  options.negative = texts.negative_prompt;
  return options;
}

}  // namespace

std::string_view to_string(DynamicPrompts dynamic) {
  switch (dynamic) {
    case DynamicPrompts::kRandom:
      return "random";
    case DynamicPrompts::kAll:
      return "all";
    case DynamicPrompts::kOff:
      return "off";
  }
  return "";
}

DynamicPrompts parse_dynamic_prompts(std::string_view text) {
  for (const auto dynamic : {DynamicPrompts::kRandom, DynamicPrompts::kAll, DynamicPrompts::kOff}) {
    if (text == to_string(dynamic)) return dynamic;
  }
  throw UsageError("--dynamic: expected random, all or off, found \"" + std::string(text) + "\"");
}

void add_prompt_sources(OptionTable& table, PromptSources& sources) {
  const std::string group = "Input";
  table.add(group, "--styles", sources.styles_file, "CSV file with the styles that --style names");
  table.add(group, "--wildcards", sources.wildcards_folder,
            "Folder with the lists that __list__ in a prompt takes a line from");
  table.add_parsed(
      group, "--dynamic", std::string(to_string(sources.dynamic)),
      [&](const std::string& text) { sources.dynamic = parse_dynamic_prompts(text); },
      "{a|b} in a prompt: random by the seed, all combinations, or off");
}

JobSettings read_sources(const PromptSources& sources, const std::vector<PictureOptions>& prompts,
                         const std::vector<GridAxis>& axes) {
  JobSettings settings;
  settings.dynamic = sources.dynamic;
  settings.axes = axes;
  if (!sources.wildcards_folder.empty()) {
    settings.wildcards = read_wildcards(sources.wildcards_folder);
  }
  const bool names_styles =
      std::any_of(prompts.begin(), prompts.end(),
                  [](const PictureOptions& prompt) { return !prompt.styles.empty(); }) ||
      std::any_of(axes.begin(), axes.end(),
                  [](const GridAxis& axis) { return axis.option == "style"; });
  if (names_styles) settings.styles = read_styles(sources.styles_file);
  return settings;
}

GridAxis parse_grid_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  GridAxis axis;
  axis.option = trim(text.substr(0, std::min(equals, text.size())));
  if (equals != std::string::npos) {
    const std::string values = text.substr(equals + 1);
    axis.values = split_list(values, values.find('|') == std::string::npos ? ',' : '|');
  }
  if (axis.option.empty() || axis.values.empty()) {
    throw UsageError("--xy: expected OPTION=VALUE,VALUE,…, for example cfg=5,7,9; found \"" + text +
                     "\"");
  }
  return axis;
}

std::vector<PictureOptions> prompts_of_file(const std::string& file, const PictureOptions& base) {
  std::vector<PictureOptions> prompts;
  for (const PromptLine& line : read_prompt_lines(file)) {
    PictureOptions options = base;
    if (line.text.starts_with("--")) {
      const std::string where = file + ":" + std::to_string(line.number);
      apply_arguments(CLI::detail::split_up(line.text), where, options);
      if (options.prompt.empty()) throw UsageError(where + ": --prompt is missing");
    } else {
      options.prompt = line.text;
    }
    prompts.push_back(std::move(options));
  }
  return prompts;
}

std::vector<PictureJob> jobs_of(const PictureOptions& options, const JobSettings& settings) {
  std::vector<PictureJob> jobs;
  for (const std::string& text : texts_of(options.prompt, settings)) {
    PictureOptions named = options;
    named.prompt = text;
    for (int i = 0; i < settings.count; ++i) {
      const std::uint64_t seed = options.seed.value() + static_cast<std::uint64_t>(i);
      for (const Cell& cell : cells_of(with_seed(named, seed, settings), settings.axes)) {
        ImageRequest request = request_of(styled(cell.options, settings), settings.guidance_scale);
        const std::string label = cell.label.empty() ? request.prompt : cell.label;
        jobs.push_back({std::move(request), label});
      }
    }
  }
  return jobs;
}

}  // namespace sdx
