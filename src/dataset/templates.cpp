#include "sdx/dataset/templates.h"

#include <sstream>

#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"

namespace sdx {

std::vector<std::string> load_templates(const std::filesystem::path& file) {
  std::istringstream stream{std::string(without_byte_order_mark(read_file(file)))};
  std::vector<std::string> templates;
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    line = trim(line);
    if (line.empty()) continue;
    if (line.find("{name}") == std::string::npos) {
      throw DataError(file.string() + ":" + std::to_string(number) +
                      ": expected a sentence with {name} in it, found \"" + line + "\"");
    }
    templates.push_back(line);
  }
  if (templates.empty()) {
    throw DataError(file.string() + ": expected a sentence with {name} on each line, found none");
  }
  return templates;
}

std::vector<std::string> load_templates(SubjectKind kind) {
  return load_templates(data_folder() / "templates" / (std::string(to_string(kind)) + ".txt"));
}

}  // namespace sdx
