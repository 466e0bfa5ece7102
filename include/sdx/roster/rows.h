#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sdx {

/// The fields of a row of a roster, before they are checked.
struct RosterRow {
  int number = 0;                             ///< its first line; in JSON of the entry, from 1
  std::map<std::string, std::string> values;  ///< by column, UTF-8, without blanks around them
  std::vector<std::string> faults;            ///< why its values can't be trusted; mostly none
};

struct RosterRows {
  std::vector<RosterRow> rows;  ///< at least one
  bool records_consent = false;
};

/// @throws as read_roster.
RosterRows read_rows(const std::filesystem::path& roster);

/// Whether a roster is read as JSON.
bool is_json(const std::filesystem::path& roster);

/// The text, with U+FFFD for what is no UTF-8 or is a control character.
std::string shown(std::string_view text);

}  // namespace sdx
