#include "sdx/dataset/templates.h"

#include "sdx/prompt/prompt_list.h"
#include "sdx/util/data_folder.h"

namespace sdx {

std::vector<std::string> load_templates(const std::filesystem::path& file) {
  return read_named_prompts(file);
}

std::vector<std::string> load_templates(SubjectKind kind) {
  return load_templates(data_folder() / "templates" / (std::string(to_string(kind)) + ".txt"));
}

std::vector<std::string> load_previews() {
  return load_templates(data_folder() / "templates" / "previews.txt");
}

}  // namespace sdx
