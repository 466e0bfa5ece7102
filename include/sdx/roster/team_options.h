#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sdx/generation/image_jobs.h"
#include "sdx/image/write.h"
#include "sdx/model/model_options.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// What a person asks for a team.
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

/// The table of what is a team's alone. All that a team is asked for is in bind_team_settings().
const SettingsTable<TeamOptions>& team_settings();

/// Everything that a team is asked for: its own settings, those of prompts, images and encoding,
/// and the model's.
Settings bind_team_settings(TeamOptions& options, ModelOptions& model);

/// Keeps what was asked for in the team's folder, paths as they are seen from there, so that
/// read_team_options() finds them wherever it is called from, and when all is moved together.
void write_team_options(const TeamOptions& options, const ModelOptions& model,
                        const std::filesystem::path& team);

/// What the team was asked for; paths as they are seen from the current folder.
/// @throws MissingInputError if `team` is no team's folder; UsageError for a setting that is
/// unknown
///         or impossible, with the file's name.
void read_team_options(const std::filesystem::path& team, TeamOptions& options,
                       ModelOptions& model);

}  // namespace sdx
