#include "sdx/training/training_spec.h"

#include "sdx/dataset/templates.h"
#include "sdx/util/data_folder.h"

namespace sdx {

MemoryChoice parse_memory_choice(std::string_view text) {
  return parse_enum<MemoryChoice>(text, "memory");
}

std::vector<std::string> load_previews() {
  return load_templates(data_folder() / "templates" / "previews.txt");
}

}  // namespace sdx
