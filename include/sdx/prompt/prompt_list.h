#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sdx {

struct PromptLine {
  std::string text;
  int number = 0;  ///< of the line, from 1
};

/// The prompts of a text file (read_text_file()), one a line; blank lines and carriage returns are
/// left out.
/// @throws as read_text_file; DataError if there is none.
std::vector<PromptLine> read_prompt_lines(const std::filesystem::path& file);

/// The same without the numbers.
std::vector<std::string> read_prompt_file(const std::filesystem::path& file);

/// The same of a file in which every prompt needs a `{name}`, for each is about somebody.
/// @throws as read_prompt_lines(); DataError naming the file and the first line without it.
std::vector<std::string> read_named_prompts(const std::filesystem::path& file);

/// A prompt with every `{name}` replaced by `text`.
std::string fill_name(const std::string& prompt, const std::string& text);

/// The prompts with every `{name}` replaced by the placeholder of a name: a prompt with `{name}`
/// gives one prompt for each of `names`, a prompt without it stays as it is.
/// @throws UsageError if a prompt has `{name}` and there are no names.
std::vector<std::string> fill_names(const std::vector<std::string>& prompts,
                                    const std::vector<std::string>& names);

}  // namespace sdx
