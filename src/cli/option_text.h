#pragma once

#include <string>
#include <vector>

#include "sdx/util/settings_table.h"

namespace sdx {

/// What stands for a setting's value in help: "INT" of "--steps INT".
const char* value_name(const SettingInfo& info);

/// An option's names as CLI11 takes them, with commas between; of a positional one its key.
std::string names_of_option(const SettingInfo& info);

/// An option as a manual shows it: its short and long name, and the placeholder of its value. A
/// positional option shows its key.
std::string spell_option(const SettingInfo& info);

// What every command is asked, besides its settings.
extern const SettingInfo kAskHelp;
extern const SettingInfo kAskHelpAll;
extern const SettingInfo kAskVersion;
extern const SettingInfo kAskConfig;
extern const SettingInfo kTakeConfig;

/// Those of them that a command is asked.
/// @param has_settings of its own; false: it has parts
std::vector<SettingInfo> list_questions(bool has_settings);

}  // namespace sdx
