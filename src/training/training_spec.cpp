#include "sdx/training/training_spec.h"

#include "sdx/dataset/templates.h"
#include "sdx/util/data_folder.h"

namespace sdx {

std::vector<std::string> load_previews() {
  return load_templates(data_folder() / "templates" / "previews.txt");
}

}  // namespace sdx
