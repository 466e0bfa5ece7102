#include "sdx/prompt/prompt_list.h"

#include <sstream>
#include <string_view>

#include "sdx/embedding/embedding.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/text_file.h"

namespace sdx {

namespace {

constexpr std::string_view kNameField = "{name}";

}  // namespace

std::vector<PromptLine> read_prompt_lines(const std::filesystem::path& file) {
  std::vector<PromptLine> prompts;
  std::istringstream lines{read_text_file(file)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line = trim(line); !line.empty()) prompts.push_back({line, number});
  }
  if (prompts.empty())
    throw DataError(file.string() + ": holds no prompt; expected one on each line");
  return prompts;
}

std::vector<std::string> read_prompt_file(const std::filesystem::path& file) {
  std::vector<std::string> prompts;
  for (PromptLine& line : read_prompt_lines(file)) prompts.push_back(std::move(line.text));
  return prompts;
}

std::vector<std::string> read_named_prompts(const std::filesystem::path& file) {
  std::vector<std::string> prompts;
  for (PromptLine& line : read_prompt_lines(file)) {
    if (line.text.find(kNameField) == std::string::npos) {
      throw DataError(file.string() + ":" + std::to_string(line.number) + ": \"" + line.text +
                      "\" has no {name}; write {name} where the person is to stand, or remove the "
                      "line");
    }
    prompts.push_back(std::move(line.text));
  }
  return prompts;
}

std::string fill_name(const std::string& prompt, const std::string& text) {
  std::string filled = prompt;
  for (std::size_t at = filled.find(kNameField); at != std::string::npos;
       at = filled.find(kNameField, at + text.size())) {
    filled.replace(at, kNameField.size(), text);
  }
  return filled;
}

std::vector<std::string> fill_names(const std::vector<std::string>& prompts,
                                    const std::vector<std::string>& names) {
  std::vector<std::string> filled;
  for (const std::string& prompt : prompts) {
    if (prompt.find(kNameField) == std::string::npos) {
      filled.push_back(prompt);
      continue;
    }
    if (names.empty()) {
      throw UsageError("the prompt \"" + prompt + "\" has a {name}; `names` A,B says whose");
    }
    for (const std::string& name : names) {
      filled.push_back(fill_name(prompt, placeholder(name)));
    }
  }
  return filled;
}

}  // namespace sdx
