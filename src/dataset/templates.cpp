#include "sdx/dataset/templates.h"

#include <sstream>

#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

std::string_view to_string(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::kPerson:
      return "person";
    case SubjectKind::kObject:
      return "object";
    case SubjectKind::kStyle:
      return "style";
  }
  return "";
}

SubjectKind parse_subject_kind(std::string_view text) {
  for (const auto kind : {SubjectKind::kPerson, SubjectKind::kObject, SubjectKind::kStyle}) {
    if (text == to_string(kind)) return kind;
  }
  throw UsageError("--kind: expected person, object or style, found \"" + std::string(text) + "\"");
}

std::vector<std::string> load_templates(const std::filesystem::path& file) {
  std::string text = read_file(file);
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  std::istringstream stream(text);
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
