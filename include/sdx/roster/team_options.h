#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sdx/generation/image_jobs.h"
#include "sdx/image/write.h"
#include "sdx/model/model_options.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// The settings of a team, as a person gives them.
struct TeamOptions {
  std::string roster;  ///< CSV or JSON
  std::string prompts;
  std::vector<std::string>
      embeddings;  ///< files or folders of embeddings that nobody in the roster has
  PromptSources sources;
  std::string only;  ///< comma-separated names; empty: everybody
  bool keep_going = false;
  bool require_consent = false;
  std::string preset;         ///< of the training; empty: as training_file says, else balanced
  std::string training_file;  ///< settings of a training as JSON; empty: none
  int together = 1;           ///< people who are trained in one pass of the UNet
  int count = 1;              ///< images of each prompt
  ImageOptions image;         ///< what holds where the prompts say nothing
  ImageEncoding encoding;
  std::string out = "team";
  std::string title;  ///< empty: the roster's name

  TeamOptions() { image.seed = 1; }
};

/// The table of the settings that only a team has. bind_team_settings() has all settings of a team.
const SettingsTable<TeamOptions>& team_settings();

/// All settings of a team: its own, those of prompts, images and encoding, and the model's.
Settings bind_team_settings(TeamOptions& options, ModelOptions& model);

/// Keeps the settings in the team's folder, with paths as they are seen from there. So
/// read_team_options() finds the files wherever it is called from, and also after everything was
/// moved together.
void write_team_options(const TeamOptions& options, const ModelOptions& model,
                        const std::filesystem::path& team);

/// Reads the settings of the team; paths are as they are seen from the current folder.
/// @throws MissingInputError if `team` is no team's folder; UsageError for a setting that is
/// unknown
///         or impossible, with the file's name.
void read_team_options(const std::filesystem::path& team, TeamOptions& options,
                       ModelOptions& model);

}  // namespace sdx
