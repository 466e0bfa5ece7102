#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sdx/cli/command_line.h"
#include "sdx/cli/common_options.h"
#include "sdx/util/json.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// What is said of a file.
struct ShownFile {
  Json json;                    ///< with --json
  std::function<void()> print;  ///< for people
};

/// The arguments of a part that shows files of a kind.
struct ShownFilesArguments {
  std::vector<std::string> files;
  CommonOptions common;
};

/// Their settings.
/// @param help of the files
SettingsTable<ShownFilesArguments> make_shown_files_settings(const std::string& help);

/// Defines a part that shows files one after the other. One that cannot be read is said, and the
/// others are shown; the exit code is that of the first such file.
/// @param settings of make_shown_files_settings(); outlive the command line
/// @param plural what the files are, for messages: "LoRAs"
/// @param read   reads a file; its Error says why it cannot
std::function<void()> define_shown_files(CommandLine& line,
                                         const SettingsTable<ShownFilesArguments>& settings,
                                         const std::string& plural,
                                         std::function<ShownFile(const std::string& file)> read);

}  // namespace sdx
