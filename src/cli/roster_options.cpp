#include "cli/roster_options.h"

#include <array>

#include "cli/picture_writer.h"
#include "sdx/roster/team_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Options whose values may be paths.
constexpr std::array kPaths = {"roster",   "prompts", "embeddings", "styles", "wildcards",
                               "training", "model",   "init-image", "mask"};

/// A path as it is seen from another folder; what is no path that exists stays.
std::string moved(const std::string& text, const fs::path& from, const fs::path& to) {
  const fs::path path = text;
  if (text.empty() || path.is_absolute()) return text;
  const fs::path whole = fs::weakly_canonical(from / path);
  return fs::exists(whole) ? whole.lexically_proximate(fs::weakly_canonical(to)).string() : text;
}

Json with_moved_paths(Json settings, const fs::path& from, const fs::path& to) {
  for (const char* key : kPaths) {
    if (!settings.contains(key)) continue;
    Json& value = settings[key];
    if (value.is_string()) value = moved(value.get<std::string>(), from, to);
    if (!value.is_array()) continue;
    for (Json& one : value) one = moved(one.get<std::string>(), from, to);
  }
  return settings;
}

void add_team_options(OptionTable& table, RosterOptions& options) {
  const std::string input = "Input";
  table.add(input, "roster", options.roster,
            "CSV with a header, or JSON: name, portraits; init, kind, prompts, consent, until");
  table.add(input, "--prompts", options.prompts,
            "File with a prompt on each line, or a pack of ours: statcrew, portraits, …; {name} "
            "stands for each person");
  table.add(input, "--embeddings", options.embeddings,
            "Folders or files with further words, for prompts that name them");
  add_prompt_sources(table, options.sources);
  table.add(input, "--only", options.only,
            "Comma-separated names; pictures of several people, gallery and summary are left out");
  table.add_flag(input, "--keep-going", options.keep_going,
                 "Leave out whoever cannot be trained, in place of not starting");
  table.add_flag(input, "--require-consent", options.require_consent,
                 "Refuse who has no consent in the roster or one that has ended, also where it has "
                 "no such column");
  const std::string training = "Training";
  table.add(training, "--preset", options.preset, "As of sdx-train: fast, balanced, best");
  table.add(training, "--training", options.training_file,
            "Options of sdx-train as JSON, as its --print-config shows them");
  table
      .add(training, "--together", options.together,
           "People who are trained at once, in one pass of the UNet")
      ->check(CLI::Range(1, 64));
}

void add_result_options(OptionTable& table, RosterOptions& options) {
  const std::string group = "Output";
  table.add(group, "--out", options.out, "Folder of the team");
  table.add(group, "--title", options.title, "Of the gallery; default: the roster's name");
  add_encoding_options(table, options.encoding);
}

}  // namespace

Json parse_roster_options(OptionTable& table, int argc, const char* const* argv,
                          RosterOptions& options, CommonOptions& common) {
  options.picture.seed = 1;
  add_team_options(table, options);
  table.add("Picture", "-n,--count", options.count, "Pictures of each prompt, seed + 0, 1, …")
      ->check(CLI::PositiveNumber);
  add_picture_options(table, options.picture);
  add_result_options(table, options);
  add_common_options(table, common);
  table.parse(argc, argv);
  if (options.roster.empty()) {
    throw UsageError("expected a roster; see " + std::string(argv[0]) + " --help");
  }
  return table.effective();
}

Json parse_roster_options(int argc, const char* const* argv, RosterOptions& options,
                          CommonOptions& common) {
  OptionTable table(
      "sdx-roster run", "Train everybody of a roster and make everybody's pictures, and a gallery.",
      "  sdx-roster run team.csv --prompts statcrew --out team\n"
      "  sdx-roster run team.csv --prompts prompts.txt --preset best -n 4 --model sd15\n");
  return parse_roster_options(table, argc, argv, options, common);
}

std::vector<std::string> arguments_of(const Json& settings) {
  std::vector<std::string> arguments;
  for (const auto& [key, value] : settings.items()) {
    const std::string option = key == "roster" ? "" : "--" + key;
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      if (one.is_boolean()) {
        if (one.get<bool>()) arguments.push_back(option);
        continue;
      }
      const std::string text = one.is_string() ? one.get<std::string>() : one.dump();
      if (text.empty()) continue;
      arguments.push_back(option.empty() ? text : option + "=" + text);
    }
  }
  return arguments;
}

void write_roster_settings(const Json& settings, const fs::path& team) {
  Json kept = with_moved_paths(settings, fs::current_path(), team);
  for (const char* of_one_run : {"only", "out", "json", "quiet", "verbose"}) kept.erase(of_one_run);
  write_file_atomically(TeamFolder{team}.settings(), kept.dump(2) + "\n");
}

void read_roster_settings(const fs::path& team, RosterOptions& options, CommonOptions& common) {
  const fs::path file = TeamFolder{team}.settings();
  if (!fs::exists(file)) {
    throw MissingInputError(team.string() + ": is no team's folder (roster.json is missing); " +
                            "sdx-roster run makes one");
  }
  const Json settings = with_moved_paths(read_json_file(file), team, fs::current_path());
  std::vector<std::string> arguments = {"sdx-roster run"};
  for (std::string& argument : arguments_of(settings)) arguments.push_back(std::move(argument));
  arguments.push_back("--out=" + team.string());
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  parse_roster_options(static_cast<int>(pointers.size()), pointers.data(), options, common);
}

}  // namespace sdx
