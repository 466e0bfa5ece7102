#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/picture_jobs.h"
#include "sdx/cli/options.h"
#include "sdx/image/write.h"

namespace sdx {

/// What `sdx-roster run` was told.
struct RosterOptions {
  std::string roster;  ///< CSV or JSON
  std::string prompts;
  std::vector<std::string> embeddings;  ///< of words that are nobody's in the roster
  PromptSources sources;
  std::string only;  ///< comma-separated names; empty: everybody
  bool keep_going = false;
  bool require_consent = false;
  std::string preset;         ///< of the training; empty: as training_file says, else balanced
  std::string training_file;  ///< options of sdx-train as JSON; empty: none
  int together = 1;
  int count = 1;  ///< pictures of each prompt
  PictureOptions picture;
  ImageEncoding encoding;
  std::string out = "team";
  std::string title;  ///< empty: the roster's name
};

/// Precedence: default < --config < command line.
/// @return the effective options, for write_roster_settings().
/// @throws UsageError, MissingInputError; TextAnswer.
Json parse_roster_options(int argc, const char* const* argv, RosterOptions& options,
                          CommonOptions& common);

/// The same for another action that takes these options: they are added to its table, which may
/// have more of its own.
Json parse_roster_options(OptionTable& table, int argc, const char* const* argv,
                          RosterOptions& options, CommonOptions& common);

/// Effective options as they would be typed: {"roster": "team.csv", "count": 4} gives
/// {"team.csv", "--count=4"}, in the order of the keys.
std::vector<std::string> arguments_of(const Json& settings);

/// Keeps what was asked for in the team's folder, paths as they are seen from there, so that
/// read_roster_settings() finds them wherever it is called from, and when all is moved together.
void write_roster_settings(const Json& settings, const std::filesystem::path& team);

/// The options that the team was made with; paths as they are seen from the current folder.
/// @throws MissingInputError if `team` is no team's folder.
void read_roster_settings(const std::filesystem::path& team, RosterOptions& options,
                          CommonOptions& common);

}  // namespace sdx
