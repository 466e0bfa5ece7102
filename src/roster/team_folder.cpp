#include "sdx/roster/team_folder.h"

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "roster/team_gallery.h"
#include "sdx/roster/gallery.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/lock.h"
#include "sdx/util/name.h"
#include "sdx/util/remove.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

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

fs::path within(const TeamFolder& team, const fs::path& place) {
  return place.lexically_relative(team.root);
}

/// The folders of pictures, and of thumbnails, that show a person, alone or with others.
std::vector<fs::path> list_image_folders(const TeamFolder& team, const std::string& name) {
  std::vector<fs::path> folders;
  for (const fs::path& place : {team.images(), team.thumbnails()}) {
    if (!fs::is_directory(place)) continue;
    for (const auto& entry : fs::directory_iterator(place)) {
      if (shows(entry.path(), name)) folders.push_back(within(team, entry.path()));
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// The places within the team's folder that hold something of a person, in the order in which they
/// are removed: what says that the person is known goes last, so that the same command goes on if
/// it was interrupted.
std::vector<fs::path> list_places(const TeamFolder& team, const std::string& name) {
  std::vector<fs::path> places = list_image_folders(team, name);
  places.push_back(within(team, team.portrait(name).parent_path()));
  places.push_back(within(team, team.embedding(name)));
  places.push_back(within(team, team.person(name)));
  return places;
}

void sort_unique(std::vector<fs::path>& files) {
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
}

/// The people who have a folder or an embedding in the team's.
std::vector<std::string> list_known_people(const TeamFolder& team) {
  std::set<std::string> names;
  const auto add_from = [&names](const fs::path& folder, const std::string& extension) {
    if (!fs::is_directory(folder)) return;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const fs::path& path = entry.path();
      if (path.extension() == extension) names.insert(path.stem().string());
    }
  };
  add_from(team.people(), "");
  add_from(team.embeddings(), ".safetensors");
  return {names.begin(), names.end()};
}

/// @throws MissingInputError unless the folder is a team's and the person has something there that
///         only a training makes: a folder of pictures alone may be anybody's.
void require_known(const TeamFolder& team, const std::string& name) {
  // Whose record is here was made here; a folder that only looks alike is somebody else's.
  if (!fs::exists(team.settings()) && !fs::exists(team.person(name) / "record.json")) {
    throw MissingInputError(
        team.root.string() +
        ": is no team's folder (roster.json is missing), so nothing is removed");
  }
  if (fs::is_directory(team.person(name)) || fs::exists(team.embedding(name))) return;
  const std::vector<std::string> known = list_known_people(team);
  throw MissingInputError(team.root.string() + ": holds nothing of \"" + name + "\"; " +
                          (known.empty() ? "it holds nothing of anybody"
                                         : "the people there are " + join(known, ", ")));
}

}  // namespace

fs::path TeamFolder::embedding(const std::string& name) const {
  return find_named_entry(embeddings(), checked(name) + ".safetensors");
}

fs::path TeamFolder::person(const std::string& name) const {
  return find_named_entry(people(), checked(name));
}

fs::path TeamFolder::portrait(const std::string& name) const {
  return find_named_entry(portraits(), checked(name)) / "portrait.webp";
}

std::string images_folder(const std::vector<std::string>& names) { return join(names, " "); }

std::vector<fs::path> remove_images(const TeamFolder& team, const std::string& name) {
  std::vector<fs::path> removed;
  for (const fs::path& place : list_image_folders(team, name)) {
    for (fs::path& file : remove_inside(team.root, place)) removed.push_back(std::move(file));
  }
  sort_unique(removed);
  return removed;
}

std::vector<fs::path> list_files_of_person(const TeamFolder& team, const std::string& name) {
  require_known(team, name);
  std::vector<fs::path> files;
  for (const fs::path& place : list_places(team, name)) {
    for (fs::path& file : list_inside(team.root, place)) files.push_back(std::move(file));
  }
  sort_unique(files);
  return files;
}

std::size_t write_page_of_person(const TeamFolder& team, const std::string& name,
                                 const fs::path& page) {
  if (!fs::exists(team.summary())) {
    throw MissingInputError(team.root.string() +
                            ": holds no finished run of a team (summary.json is missing)");
  }
  const Json summary = read_json_file(team.summary());
  std::vector<std::string> people;
  std::string found;
  std::string note;
  for (const Json& person : json_value<Json>(summary, "people", team.summary())) {
    people.push_back(json_value<std::string>(person, "name", team.summary()));
    if (!is_same_name(people.back(), name)) continue;
    found = people.back();
    const auto likeness = person.find("likeness_after");
    if (likeness != person.end() && likeness->is_number()) {
      note = "likeness " + fixed_number(likeness->get<double>(), 2);
    }
  }
  if (found.empty()) {
    throw MissingInputError(team.root.string() + ": the team has nobody called \"" + name +
                            "\"; the people there are " + join(people, ", "));
  }
  TeamGallery gallery(team, "", people, {});
  gallery.set_notes({{found, note}});
  return write_person_page(team.root, gallery.look(), found, page);
}

std::vector<fs::path> forget_person(const TeamFolder& team, const std::string& name) {
  (void)list_files_of_person(team, name);  // a team, and somebody who is known there
  std::optional<FileLock> lock;
  if (fs::exists(team.person(name))) lock.emplace(team.lock(name), team.person(name).string());
  std::vector<fs::path> removed;
  for (const fs::path& place : list_places(team, name)) {
    for (fs::path& file : remove_inside(team.root, place)) removed.push_back(std::move(file));
  }
  write_without(team, name);
  remove_log_lines(team, name);
  sort_unique(removed);
  return removed;
}

}  // namespace sdx
