#include "sdx/dataset/templates.h"

#include "sdx/prompt/prompt_list.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"

namespace sdx {

std::vector<std::string> person_templates() {
  const auto file = data_folder() / "templates" / "person.txt";
  std::vector<std::string> templates = read_prompt_file(file);
  for (const std::string& line : templates) {
    if (line.find("{name}") == std::string::npos) {
      throw DataError(file.string() + ": expected {name} in every line, found \"" + line + "\"");
    }
  }
  return templates;
}

}  // namespace sdx
