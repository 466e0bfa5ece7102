#include "sdx/generation/image_jobs.h"

#include <algorithm>
#include <set>
#include <utility>

#include "sdx/prompt/dynamic.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

constexpr std::uint64_t kMostCombinations = 10'000;

/// A word of a line in which blanks separate, unless they stand between quotes ("…", '…' or `…`)
/// that begin a word; a backslash before the same quote makes it a letter.
std::vector<std::string> split_words(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  std::vector<std::string> words;
  for (std::size_t at = line.find_first_not_of(kBlanks); at < line.size();
       at = line.find_first_not_of(kBlanks, at)) {
    std::string word;
    const char quote = line[at];
    if (quote == '"' || quote == '\'' || quote == '`') {
      for (++at; at < line.size() && line[at] != quote; ++at) {
        if (line[at] == '\\' && at + 1 < line.size() && line[at + 1] == quote) ++at;
        word += line[at];
      }
      ++at;
    } else {
      const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
      word = line.substr(at, end - at);
      at = end;
    }
    words.push_back(std::move(word));
    if (at >= line.size()) break;
  }
  return words;
}

/// Whether a word of a line names a setting, as AUTOMATIC1111's "prompts from file" has it.
bool names_setting(std::string_view word) {
  return word.size() > 2 && word[0] == '-' && word[1] == '-';
}

/// A name that lines of AUTOMATIC1111's "prompts from file" may have and no setting of a line is.
struct ForeignName {
  std::string_view name;
  std::string_view advice;        ///< what to do about it
  std::string_view neutral = {};  ///< a value with which it changes nothing; "*": any
};

constexpr ForeignName kForeignNames[] = {
    {"sd_model", "the model is one for all lines: `model` NAME"},
    {"outpath_samples", "all pictures go into one folder: `out` FOLDER"},
    {"outpath_grids", "all pictures go into one folder: `out` FOLDER"},
    {"prompt_for_display", "it is for display only", "*"},
    {"styles", "the name of a style is given by `style`"},
    {"seed_resize_from_h", "noise of another size is not taken; leave it out", "0"},
    {"seed_resize_from_w", "noise of another size is not taken; leave it out", "0"},
    {"batch_size", "`count` N makes N pictures of each line", "1"},
    {"n_iter", "`count` N makes N pictures of each line", "1"},
    {"restore_faces", "`refine-faces` goes over small faces", "false"},
    {"do_not_save_samples", "every picture is written; leave it out", "false"},
    {"do_not_save_grid", "no grid is made without `grid`", "*"},
    {"enable_hr", "`hires` 2 makes the second pass", "false"},
    {"hr_scale", "`hires` 2 makes the second pass"},
    {"hr_upscaler", "the second pass enlarges by Lanczos; leave it out"},
    {"hr_second_pass_steps", "the steps of the second pass are `hires-steps`"},
    {"denoising_strength", "it is `hires-strength`, or `strength` with an `init-image`"},
    {"override_settings", "settings of that program are not taken; leave it out"}};

const ForeignName* find_foreign_name(std::string_view name) {
  for (const ForeignName& one : kForeignNames) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

bool is_truth(const std::string& word) {
  const std::string text = lower_case(word);
  return text == "true" || text == "false";
}

/// @throws UsageError unless the value changes nothing.
void check_foreign_value(const ForeignName& foreign, const std::string& value) {
  if (foreign.neutral == "*" || lower_case(value) == foreign.neutral) return;
  if (value == "-1" && foreign.neutral == "0") return;
  throw UsageError("\"" + std::string(foreign.name) +
                   "\" is a setting of AUTOMATIC1111 that a line does not have here: " +
                   std::string(foreign.advice));
}

/// Reads a line of settings, such as --steps 30 --tile --prompt "…", into `options`.
/// @return whether a prompt is among them
bool read_line(const std::string& line, ImageOptions& options) {
  bool has_prompt = false;
  const Settings settings(image_settings(), options);
  const std::vector<std::string> words = split_words(line);
  std::set<std::string> begun;  // lists that this line has begun anew
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!names_setting(words[i])) {
      throw UsageError("expected a setting like `steps`, found " + quote_text(words[i]) +
                       "; a prompt with blanks in it stands in quotes");
    }
    const std::size_t equals = words[i].find('=');
    const auto has_value = [&] { return i + 1 < words.size() && !names_setting(words[i + 1]); };
    if (const ForeignName* const foreign = find_foreign_name(words[i].substr(2, equals - 2))) {
      std::string value = "true";
      if (equals != std::string::npos) {
        value = words[i].substr(equals + 1);
      } else if (has_value()) {
        value = words[++i];
      }
      check_foreign_value(*foreign, value);
      continue;
    }
    const BoundSetting& setting = settings.at(words[i].substr(2, equals - 2));
    const SettingInfo& info = *setting.info;
    if (info.type == SettingType::kTexts && begun.insert(info.key).second) setting.clear();
    std::string value = "true";
    if (equals != std::string::npos) {
      value = words[i].substr(equals + 1);
    } else if (info.type == SettingType::kFlag) {
      if (has_value() && is_truth(words[i + 1])) value = words[++i];
    } else if (++i < words.size()) {
      value = words[i];
    } else {
      throw SettingError(info.key, info.expected, "");
    }
    if (info.type == SettingType::kFlag && is_truth(value)) value = lower_case(value);
    if (info.key == "seed" && value == "-1") value = "random";
    // Any noise to go towards will do: the one that is there.
    if (info.key != "variation-seed" || value != "-1") setting.set_text(value);
    has_prompt = has_prompt || info.key == "prompt";
  }
  return has_prompt;
}

/// The preset that the options name comes before what they say, in whatever order they were read.
/// @param read reads them
template <typename Read>
bool read_with_preset(ImageOptions& options, const Read& read) {
  ImageOptions trial = options;
  trial.preset = SamplingPreset::kNone;
  const bool result = read(trial);
  if (trial.preset == SamplingPreset::kNone) {
    options = std::move(trial);
    return result;
  }
  apply_sampling_preset(trial.preset, options);
  return read(options);
}

ImageOptions at_value(ImageOptions options, const GridAxis& axis, const std::string& value) {
  if (axis.key == "prompt") {
    const std::string& sought = axis.values.front();
    if (options.prompt.find(sought) == std::string::npos) {
      throw UsageError("`xy` prompt: the first value is replaced by each, but " +
                       quote_text(sought) + " is not in the prompt " + quote_text(options.prompt));
    }
    options.prompt = replace_all(options.prompt, sought, value);
    return options;
  }
  try {
    const Settings settings(image_settings(), options);
    settings.at(axis.key).set_texts({value});
  } catch (const Error& error) {
    throw UsageError("`xy` " + axis.key + "=" + value + ": " + error.what());
  }
  return options;
}

struct Cell {
  std::vector<std::pair<const GridAxis*, std::string>> values;  ///< the last axis first
  ImageOptions options;
  std::string label;  ///< empty without axes
};

/// The cells of a grid, row by row; without axes the picture alone.
std::vector<Cell> make_cells(const ImageOptions& options, const std::vector<GridAxis>& axes) {
  std::vector<Cell> cells = {{{}, options, ""}};
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    std::vector<Cell> next;
    for (const Cell& cell : cells) {
      for (const std::string& value : axis->values) {
        const std::string text = axis->key + " " + value;
        Cell& one = next.emplace_back(cell);
        one.values.emplace_back(&*axis, value);
        one.label = cell.label.empty() ? text : text + ", " + cell.label;
      }
    }
    cells = std::move(next);
  }
  const bool compares_faces = std::any_of(axes.begin(), axes.end(), [](const GridAxis& axis) {
    return axis.key == "refine-faces";
  });
  for (Cell& cell : cells) {
    read_with_preset(cell.options, [&](ImageOptions& read) {
      for (const auto& [axis, value] : cell.values) read = at_value(read, *axis, value);
      return true;
    });
    // Beside cells with refined faces, those without have no use for a prompt of the faces.
    FaceSettings& faces = cell.options.settings.faces;
    if (compares_faces && !faces.refine) faces.prompt.clear();
  }
  return cells;
}

std::vector<std::string> list_texts(const std::string& prompt, const JobSettings& settings) {
  std::vector<std::string> texts = {prompt};
  if (settings.dynamic == DynamicPrompts::kAll) {
    texts = all_combinations(prompt, settings.wildcards, kMostCombinations);
  }
  return fill_names(texts, settings.names);
}

ImageOptions with_seed(ImageOptions options, std::uint64_t seed, const JobSettings& settings) {
  options.seed = seed;
  if (settings.dynamic == DynamicPrompts::kRandom) {
    options.prompt = expand_random(options.prompt, settings.wildcards, seed);
    options.negative = expand_random(options.negative, settings.wildcards, seed);
  }
  return options;
}

ImageOptions styled(ImageOptions options, const JobSettings& settings) {
  const StyledPrompt texts =
      apply_styles({options.prompt, options.negative}, options.styles, settings.styles);
  options.prompt = texts.prompt;
  options.negative = texts.negative_prompt;
  return options;
}

}  // namespace

const SettingsTable<PromptSources>& prompt_source_settings() {
  static const SettingsTable<PromptSources> kTable = [] {
    SettingsTable<PromptSources> table;
    table.group("Input");
    table.add("styles", &PromptSources::styles_file, "CSV file with the styles that `style` names")
        .path();
    table
        .add("wildcards", &PromptSources::wildcards_folder,
             "Folder with the lists that __list__ in a prompt takes a line from")
        .path(SettingValue::kFolder);
    table.add("dynamic", &PromptSources::dynamic,
              "{a|b} in a prompt: random by the seed, all combinations, or off");
    return table;
  }();
  return kTable;
}

JobSettings read_sources(const PromptSources& sources, const std::vector<ImageOptions>& prompts,
                         const std::vector<GridAxis>& axes) {
  JobSettings settings;
  settings.dynamic = sources.dynamic;
  settings.axes = axes;
  if (!sources.wildcards_folder.empty()) {
    settings.wildcards = read_wildcards(sources.wildcards_folder);
  }
  const bool names_styles =
      std::any_of(prompts.begin(), prompts.end(),
                  [](const ImageOptions& prompt) { return !prompt.styles.empty(); }) ||
      std::any_of(axes.begin(), axes.end(),
                  [](const GridAxis& axis) { return axis.key == "style"; });
  if (names_styles) settings.styles = read_styles(sources.styles_file);
  return settings;
}

GridAxis parse_grid_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  GridAxis axis;
  axis.key = trim(text.substr(0, std::min(equals, text.size())));
  if (equals != std::string::npos) {
    const std::string values = text.substr(equals + 1);
    axis.values = split_list(values, values.find('|') == std::string::npos ? ',' : '|');
  }
  if (axis.key.empty() || axis.values.empty()) {
    throw SettingError("xy", "OPTION=VALUE,VALUE,…, for example cfg=5,7,9", text);
  }
  return axis;
}

std::vector<ImageOptions> read_prompt_options(const std::string& file, const ImageOptions& base) {
  std::vector<ImageOptions> prompts;
  for (const PromptLine& line : read_prompt_lines(file)) {
    ImageOptions options = base;
    if (names_setting(line.text)) {
      const std::string where = file + ":" + std::to_string(line.number);
      bool has_prompt = false;
      try {
        has_prompt = read_with_preset(
            options, [&](ImageOptions& read) { return read_line(line.text, read); });
      } catch (const Error& error) {
        throw UsageError(where + ": " + error.what());
      }
      if (!has_prompt && options.prompt.empty()) throw UsageError(where + ": `prompt` is missing");
    } else {
      options.prompt = line.text;
    }
    prompts.push_back(std::move(options));
  }
  return prompts;
}

std::vector<ImageJob> make_jobs(const ImageOptions& options, const JobSettings& settings) {
  std::vector<ImageJob> jobs;
  for (const std::string& text : list_texts(options.prompt, settings)) {
    ImageOptions named = options;
    named.prompt = text;
    for (int i = 0; i < settings.count; ++i) {
      const std::uint64_t seed = options.seed.value() + static_cast<std::uint64_t>(i);
      for (const Cell& cell : make_cells(with_seed(named, seed, settings), settings.axes)) {
        ImageRequest request =
            make_request(styled(cell.options, settings), settings.advice, settings.loras);
        const std::string label = cell.label.empty() ? request.prompt : cell.label;
        jobs.push_back({std::move(request), label});
      }
    }
  }
  return jobs;
}

}  // namespace sdx
