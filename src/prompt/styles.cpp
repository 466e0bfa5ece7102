#include "sdx/prompt/styles.h"

#include <algorithm>

#include "sdx/util/csv.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::string_view kPromptField = "{prompt}";

std::string merged(const std::string& prompt, const std::string& style) {
  if (style.find(kPromptField) == std::string::npos) {
    const std::string added = trim(style);
    if (added.empty()) return prompt;
    const std::string begin = trim(prompt);
    return begin.empty() ? added : begin + ", " + added;
  }
  return replace_all(style, kPromptField, prompt);
}

const Style& find_style(const std::string& name, const std::vector<Style>& styles) {
  const auto found = std::find_if(styles.begin(), styles.end(),
                                  [&name](const Style& style) { return style.name == name; });
  if (found != styles.end()) return *found;
  std::vector<std::string> known;
  for (const Style& style : styles) known.push_back(style.name);
  const std::vector<std::string> nearest = nearest_words(name, std::move(known));
  throw UsageError("no style is called \"" + name + "\"" +
                   (nearest.empty() ? "; the file of styles has none"
                                    : "; the nearest are: " + join(nearest, ", ")));
}

}  // namespace

std::vector<Style> read_styles(const std::filesystem::path& path) {
  const CsvTable table = read_csv(path);
  const std::size_t name = table.column("name");
  const std::size_t prompt = table.column("prompt");
  const std::size_t negative = table.column("negative_prompt");
  std::vector<Style> styles;
  for (const CsvRow& row : table.rows) {
    const Style style{trim(row.fields[name]), row.fields[prompt], row.fields[negative]};
    if (style.name.empty()) continue;
    std::erase_if(styles, [&style](const Style& older) { return older.name == style.name; });
    styles.push_back(style);
  }
  return styles;
}

StyledPrompt apply_styles(StyledPrompt prompt, const std::vector<std::string>& names,
                          const std::vector<Style>& styles) {
  for (const std::string& name : names) {
    const Style& style = find_style(name, styles);
    prompt.prompt = merged(prompt.prompt, style.prompt);
    prompt.negative_prompt = merged(prompt.negative_prompt, style.negative_prompt);
  }
  return prompt;
}

}  // namespace sdx
