#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sdx {

/// Words that go with a prompt, under a name.
struct Style {
  std::string name;
  std::string prompt;
  std::string negative_prompt;
};

/// The styles of a file in AUTOMATIC1111's form (`styles.csv`): the columns `name`, `prompt`,
/// `negative_prompt`; others are ignored, and so are rows without a name. Of two with one name the
/// last counts.
/// @throws as read_csv; DataError if a column is missing.
std::vector<Style> read_styles(const std::filesystem::path& path);

struct StyledPrompt {
  std::string prompt;
  std::string negative_prompt;
};

/// A prompt and its negative with the named styles, one after the other. Each `{prompt}` in a
/// style's text becomes the prompt so far (in the negative text: the negative prompt so far); a
/// text without it is appended after ", ". A style's empty text changes nothing.
/// @throws UsageError for a name that no style has, naming the nearest ones.
StyledPrompt apply_styles(StyledPrompt prompt, const std::vector<std::string>& names,
                          const std::vector<Style>& styles);

}  // namespace sdx
