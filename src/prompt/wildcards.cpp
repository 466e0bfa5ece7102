#include "sdx/prompt/wildcards.h"

#include <fnmatch.h>

#include <system_error>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/text_file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> read_lines(const fs::path& file) {
  std::vector<std::string> lines = split_list(read_text_file(file), '\n');
  std::erase_if(lines, [](const std::string& line) { return line.starts_with('#'); });
  return lines;
}

}  // namespace

Wildcards read_wildcards(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw MissingInputError(folder.string() + ": there is no such folder of wildcards");
  }
  Wildcards wildcards{folder, {}};
  std::error_code failure;
  for (auto entry = fs::recursive_directory_iterator(folder, failure);
       !failure && entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
    const fs::path& file = entry->path();
    if (file.extension() != ".txt" || !fs::is_regular_file(file)) continue;
    fs::path name = file.lexically_relative(folder);
    name.replace_extension();
    try {
      wildcards.lines.emplace(name.generic_string(), read_lines(file));
    } catch (const DataError& error) {
      wildcards.unusable.emplace(name.generic_string(), error.what());
    }
  }
  if (failure) throw_errno(failure.value(), "read the folder", folder.string());
  return wildcards;
}

std::vector<std::string> matching_wildcards(const std::string& pattern,
                                            const Wildcards& wildcards) {
  std::vector<std::string> names;
  std::vector<std::string> known;
  const auto fits = [&pattern](const std::string& name) {
    return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME | FNM_NOESCAPE) == 0;
  };
  for (const auto& [name, reason] : wildcards.unusable) {
    if (fits(name)) throw DataError(reason);
  }
  for (const auto& [name, lines] : wildcards.lines) {
    known.push_back(name);
    if (fits(name)) names.push_back(name);
  }
  if (!names.empty()) return names;
  const std::string what = "no wildcard file for __" + pattern + "__";
  if (wildcards.folder.empty()) {
    throw MissingInputError(what + "; no folder of wildcards is given (\\__ is a plain __)");
  }
  const std::vector<std::string> nearest = nearest_words(pattern, std::move(known));
  throw MissingInputError(
      what + " in " + wildcards.folder.string() +
      (nearest.empty() ? ", which has no .txt file" : "; the nearest are: " + join(nearest, ", ")));
}

}  // namespace sdx
