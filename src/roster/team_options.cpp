#include "sdx/roster/team_options.h"

#include "sdx/roster/team_folder.h"
#include "sdx/training/training_options.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

using Table = SettingsTable<TeamOptions>;

/// Of one run: neither kept in the team's folder nor asked of a cluster.
bool is_of_one_run(const std::string& key) { return key == "only" || key == "out"; }

/// A path as it is seen from another folder; what is no path that exists stays.
std::string moved(const std::string& text, const fs::path& from, const fs::path& to) {
  const fs::path path = text;
  if (text.empty() || path.is_absolute()) return text;
  const fs::path whole = fs::weakly_canonical(from / path);
  return fs::exists(whole) ? whole.lexically_proximate(fs::weakly_canonical(to)).string() : text;
}

Json with_moved_paths(Json json, const Settings& settings, const fs::path& from,
                      const fs::path& to) {
  for (const BoundSetting& setting : settings.all()) {
    const SettingInfo& info = *setting.info;
    if (!info.is_path || !json.contains(info.key)) continue;
    Json& value = json[info.key];
    if (value.is_string()) value = moved(value.get<std::string>(), from, to);
    if (!value.is_array()) continue;
    for (Json& one : value) one = moved(one.get<std::string>(), from, to);
  }
  return json;
}

}  // namespace

const SettingsTable<TeamOptions>& team_settings() {
  static const Table kTable = [] {
    Table table;
    table.group("Input");
    table
        .add("roster", &TeamOptions::roster,
             "CSV file with a header, or JSON: name, portraits; init, kind, prompts, consent, "
             "until, show_portrait")
        .positional()
        .path()
        .common();
    table
        .add("prompts", &TeamOptions::prompts,
             "File with a prompt on each line, or a pack of ours: statcrew, portraits, …; {name} "
             "stands for each person")
        .path(SettingValue::kPack)
        .common();
    table
        .add("embeddings", &TeamOptions::embeddings,
             "Folders or files with more embeddings, for prompts that name them")
        .path();
    table
        .add(
            "only", &TeamOptions::only,
            "Work on these people only (comma-separated names), without group pictures and gallery")
        .names(SettingValue::kEmbedding)
        .common();
    table
        .add("keep-going", &TeamOptions::keep_going,
             "Skip people who cannot be trained, instead of not starting")
        .common();
    table.add("require-consent", &TeamOptions::require_consent,
              "Skip people without valid consent, even if the roster has no consent column");
    table.group("Training");
    table
        .add("preset", &TeamOptions::preset,
             "Set of training defaults, as of sdx-train: fast, balanced, best")
        .may_be(preset_names())
        .common();
    table
        .add("training", &TeamOptions::training_file,
             "Options of sdx-train as JSON, as its `print-config` shows them")
        .path();
    table
        .add("together", &TeamOptions::together,
             "Number of people to train at once, in one pass of the UNet")
        .within(1, 64);
    table.group("Output");
    table.add("out", &TeamOptions::out, "Folder of the team").names(SettingValue::kFolder).common();
    table.add("title", &TeamOptions::title, "Title of the gallery; default: the roster's name");
    table.group("Picture");
    table
        .add("count", &TeamOptions::count, "Number of pictures of each prompt, with seed + 0, 1, …")
        .letter('n')
        .at_least(1)
        .common();
    return table;
  }();
  return kTable;
}

Settings bind_team_settings(TeamOptions& options, ModelOptions& model) {
  Settings settings;
  settings.add(team_settings(), options)
      .add(prompt_source_settings(), options.sources)
      .add(image_settings(), options.image)
      .add(encoding_settings(), options.encoding)
      .add(model_settings(), model);
  return settings;
}

void write_team_options(const TeamOptions& options, const ModelOptions& model,
                        const fs::path& team) {
  TeamOptions kept = options;
  ModelOptions kept_model = model;
  const Settings settings = bind_team_settings(kept, kept_model);
  Json json = with_moved_paths(settings.to_json(), settings, fs::current_path(), team);
  for (const BoundSetting& setting : settings.all()) {
    if (is_of_one_run(setting.info->key)) json.erase(setting.info->key);
  }
  write_file_atomically(TeamFolder{team}.settings(), json.dump(2) + "\n");
}

void read_team_options(const fs::path& team, TeamOptions& options, ModelOptions& model) {
  const fs::path file = TeamFolder{team}.settings();
  if (!fs::exists(file)) {
    throw MissingInputError(team.string() + ": is no team's folder (roster.json is missing); " +
                            "sdx-roster run makes one");
  }
  const Settings settings = bind_team_settings(options, model);
  const Json json = with_moved_paths(read_json_file(file), settings, team, fs::current_path());
  settings.read_json(json, file.string());
  options.out = team.string();
}

}  // namespace sdx
