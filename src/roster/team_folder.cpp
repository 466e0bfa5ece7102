#include "sdx/roster/team_folder.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>

#include "roster/team_gallery.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/lock.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// The files in a folder and below it, or the file itself; removed.
void remove_listed(const fs::path& root, const fs::path& place, std::vector<fs::path>& removed) {
  if (!fs::exists(fs::symlink_status(place))) return;
  if (fs::is_directory(fs::symlink_status(place))) {
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
      if (!entry.is_directory()) removed.push_back(entry.path().lexically_relative(root));
    }
  } else {
    removed.push_back(place.lexically_relative(root));
  }
  fs::remove_all(place);
}

/// The summary and the page without a person.
void write_without(const TeamFolder& team, const std::string& name) {
  if (!fs::exists(team.summary())) return;
  Json summary = read_json_file(team.summary());
  Json kept = Json::array();
  std::vector<std::string> people;
  for (const Json& person : json_value<Json>(summary, "people", team.summary())) {
    const auto other = json_value<std::string>(person, "name", team.summary());
    if (is_same_name(other, name)) continue;
    people.push_back(other);
    kept.push_back(person);
  }
  summary["people"] = std::move(kept);
  summary["problems"] = Json::array();  // they may name the person
  write_file_atomically(team.summary(), summary.dump(2) + "\n");
  TeamGallery(team, json_value<std::string>(summary, "title", team.summary()), people, {})
      .write({});
}

/// Whether a line has a name in it, and not as a part of a longer one.
bool mentions(std::string_view line, std::string_view name) {
  for (std::size_t at = line.find(name); at != line.npos; at = line.find(name, at + 1)) {
    const std::string_view rest = line.substr(at + name.size());
    const bool begins = at == 0 || !is_word_character(line[at - 1]);
    if (begins && (rest.empty() || !is_word_character(rest.front()))) return true;
  }
  return false;
}

void remove_log_lines(const TeamFolder& team, const std::string& name) {
  if (!fs::exists(team.logs())) return;
  for (const auto& entry : fs::directory_iterator(team.logs())) {
    if (!entry.is_regular_file()) continue;
    const std::string text = read_file(entry.path());
    std::istringstream lines(text);
    std::string kept;
    for (std::string line; std::getline(lines, line);) {
      if (!mentions(canonical_name(line), canonical_name(name))) kept += line + "\n";
    }
    if (kept.size() < text.size()) write_file_atomically(entry.path(), kept);
  }
}

/// @throws UsageError unless it can be part of a path.
const std::string& checked(const std::string& name) {
  if (const auto fault = file_name_fault(name)) {
    throw UsageError("the name \"" + name + "\" " + *fault + ", so nobody can be called that");
  }
  return name;
}

bool shows(const fs::path& folder, const std::string& name) {
  const std::vector<std::string> names = split_list(folder.filename().string(), ' ');
  return std::any_of(names.begin(), names.end(),
                     [&name](const std::string& other) { return is_same_name(other, name); });
}

}  // namespace

fs::path TeamFolder::embedding(const std::string& name) const {
  return find_named_entry(embeddings(), checked(name) + ".safetensors");
}

fs::path TeamFolder::person(const std::string& name) const {
  return find_named_entry(people(), checked(name));
}

std::string images_folder(const std::vector<std::string>& names) { return join(names, " "); }

std::vector<fs::path> remove_images(const TeamFolder& team, const std::string& name) {
  std::vector<fs::path> removed;
  for (const fs::path& place : {team.images(), team.thumbnails()}) {
    if (!fs::exists(place)) continue;
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(place)) {
      if (shows(entry.path(), name)) folders.push_back(entry.path());
    }
    for (const fs::path& folder : folders) remove_listed(team.root, folder, removed);
  }
  std::sort(removed.begin(), removed.end());
  return removed;
}

std::vector<fs::path> forget_person(const TeamFolder& team, const std::string& name) {
  // Whose record is here was made here; a folder that only looks alike is somebody else's.
  if (!fs::exists(team.settings()) && !fs::exists(team.person(name) / "record.json")) {
    throw MissingInputError(
        team.root.string() +
        ": is no team's folder (roster.json is missing), so nothing is removed");
  }
  std::optional<FileLock> lock;
  if (fs::exists(team.person(name))) lock.emplace(team.lock(name), team.person(name).string());
  std::vector<fs::path> removed = remove_images(team, name);
  remove_listed(team.root, team.embedding(name), removed);
  remove_listed(team.root, team.person(name), removed);
  if (removed.empty()) {
    throw MissingInputError(team.root.string() + ": holds nothing of \"" + name + "\"");
  }
  write_without(team, name);
  remove_log_lines(team, name);
  std::sort(removed.begin(), removed.end());
  return removed;
}

}  // namespace sdx
