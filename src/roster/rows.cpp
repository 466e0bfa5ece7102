#include "sdx/roster/rows.h"

#include <algorithm>
#include <array>
#include <optional>

#include "sdx/util/csv.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/text.h"
#include "sdx/util/text_file.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 8> kColumns = {
    "name", "portraits", "init", "kind", "prompts", "consent", "until", "show_portrait"};
constexpr std::string_view kColumnAdvice =
    "a roster has the columns name, portraits and, at will, init, kind, prompts, consent, until, "
    "show_portrait";

bool is_known(std::string_view column) {
  return std::find(kColumns.begin(), kColumns.end(), column) != kColumns.end();
}

/// Whether `word` may be a slip of `known`: a third of its letters differ at most, or only their
/// order does. Slips spare the first letter of a short word: "unit" is a word of its own, no
/// "init".
bool looks_like(std::string_view word, std::string_view known) {
  constexpr std::size_t kShort = 5;
  if (known.size() <= kShort && !word.starts_with(known.front())) return false;
  const bool same_letters =
      word.size() == known.size() && std::is_permutation(word.begin(), word.end(), known.begin());
  return same_letters || edit_distance(word, known) <= known.size() / 3;
}

/// The one of `missing` that an unknown column looks like, as a whole or in one of its words
/// ("consent until").
std::optional<std::string> meant_by(const std::string& unknown,
                                    const std::vector<std::string_view>& missing) {
  std::string words = unknown;
  std::replace_if(
      words.begin(), words.end(), [](char c) { return c < 'a' || c > 'z'; }, ' ');
  for (const std::string_view known : missing) {
    for (const std::string& word : split_list(words, ' ')) {
      if (looks_like(word, known)) return std::string(known);
    }
  }
  return std::nullopt;
}

/// What is wrong with the names of columns or keys, which are in lower case; mostly nothing.
std::optional<std::string> column_fault(const std::vector<std::string>& columns) {
  std::vector<std::string_view> missing;
  for (const std::string_view known : kColumns) {
    if (std::find(columns.begin(), columns.end(), known) == columns.end()) missing.push_back(known);
  }
  for (const std::string& column : columns) {
    if (is_known(column)) {
      const bool is_single = std::count(columns.begin(), columns.end(), column) == 1;
      if (!is_single) return "\"" + column + "\" is there twice";
    } else if (const auto meant = meant_by(column, missing)) {
      return "\"" + shown(column) + "\" is unknown; is \"" + *meant +
             "\" meant? Otherwise give it another name";
    }
  }
  return std::nullopt;
}

// ------------------------------------------------------------------------------------ CSV

std::vector<std::string> read_columns(const CsvRow& header, const fs::path& path) {
  const std::string place = path.string() + ", line " + std::to_string(header.line) + ": ";
  std::vector<std::string> columns;
  for (const std::string& field : header.fields) {
    if (const std::string fault = describe_encoding_fault(field); !fault.empty()) {
      throw DataError(place + fault + "; save the table as CSV in UTF-8");
    }
    columns.push_back(lower_case(trim(field)));
  }
  if (columns.size() == 1 && columns.front().find_first_of(";\t") != std::string::npos) {
    throw DataError(place + "one column, \"" + shown(columns.front()) +
                    "\"; columns are separated by commas");
  }
  if (const auto fault = column_fault(columns)) throw DataError(place + "column " + *fault);
  for (const char* needed : {"name", "portraits"}) {
    if (std::find(columns.begin(), columns.end(), needed) != columns.end()) continue;
    throw DataError(place + "no column \"" + needed + "\", found " + shown(join(columns, ", ")) +
                    "; " + std::string(kColumnAdvice));
  }
  return columns;
}

RosterRow make_row(const CsvRow& row, const std::vector<std::string>& columns) {
  RosterRow result;
  result.number = row.line;
  std::size_t count = row.fields.size();
  // Spreadsheets fill rows up with empty fields.
  while (count > columns.size() && trim(row.fields[count - 1]).empty()) --count;
  if (count > columns.size()) {
    result.faults.push_back(std::to_string(count) + " fields for " +
                            std::to_string(columns.size()) +
                            " columns; a field with a comma must stand in quotes");
  }
  if (const std::string fault = describe_encoding_fault(join(row.fields, ",")); !fault.empty()) {
    result.faults.push_back(fault + "; save the table as CSV in UTF-8");
  }
  for (std::size_t i = 0; i < std::min(row.fields.size(), columns.size()); ++i) {
    if (is_known(columns[i])) result.values[columns[i]] = trim(row.fields[i]);
  }
  return result;
}

RosterRows read_csv_rows(const fs::path& path) {
  const std::string text = read_marked_text_file(path);
  if (text.find('\0') != std::string::npos) {
    throw DataError(path.string() + ": " + describe_encoding_fault(text) +
                    "; save the table as CSV in UTF-8");
  }
  const std::vector<CsvRow> rows = parse_csv(text, path);
  if (rows.empty()) throw DataError(path.string() + ": is empty; " + std::string(kColumnAdvice));
  const std::vector<std::string> columns = read_columns(rows.front(), path);
  RosterRows result;
  result.records_consent = std::find(columns.begin(), columns.end(), "consent") != columns.end();
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto& fields = rows[i].fields;
    const bool is_blank = std::all_of(fields.begin(), fields.end(),
                                      [](const auto& field) { return trim(field).empty(); });
    if (!is_blank) result.rows.push_back(make_row(rows[i], columns));
  }
  return result;
}

// ------------------------------------------------------------------------------------ JSON

std::string dumped(const Json& value) {
  constexpr std::size_t kMaxShown = 80;
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kMaxShown ? text : shown(text.substr(0, kMaxShown)) + "…";
}

/// The text that a key has for its value; nothing if it has none.
std::optional<std::string> to_text(const std::string& key, const Json& value) {
  if (value.is_null()) return "";
  if ((key == "consent" || key == "show_portrait") && value.is_boolean())
    return value.get<bool>() ? "yes" : "no";
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  // No path goes on behind a NUL.
  if (text.find('\0') != std::string::npos) return std::nullopt;
  return trim(text);
}

RosterRow make_row(const Json& entry, int number) {
  RosterRow row;
  row.number = number;
  if (!entry.is_object()) {
    row.faults.push_back("expected an object with name and portraits, found " + dumped(entry));
    return row;
  }
  std::vector<std::string> keys;
  for (const auto& [written, value] : entry.items()) {
    const std::string key = lower_case(trim(written));
    keys.push_back(key);
    if (!is_known(key)) continue;
    const auto text = to_text(key, value);
    row.values[key] = text.value_or("");
    if (!text) row.faults.push_back(key + ": expected a text, found " + dumped(value));
  }
  if (const auto fault = column_fault(keys)) row.faults.push_back("key " + *fault);
  return row;
}

RosterRows read_json_rows(const fs::path& path) {
  const Json json = read_json_file(path);
  const Json& members = json.is_object() && json.contains("members") ? json["members"] : json;
  if (!members.is_array()) {
    throw DataError(path.string() +
                    ": expected an array of objects, or an object with that array as \"members\"");
  }
  RosterRows result;
  for (const Json& entry : members) {
    result.rows.push_back(make_row(entry, static_cast<int>(result.rows.size()) + 1));
    if (result.rows.back().values.contains("consent")) result.records_consent = true;
  }
  return result;
}

}  // namespace

RosterRows read_rows(const fs::path& roster) {
  RosterRows result = is_json(roster) ? read_json_rows(roster) : read_csv_rows(roster);
  if (result.rows.empty()) throw DataError(roster.string() + ": names nobody");
  return result;
}

std::string shown(std::string_view text) {
  std::u32string characters = from_utf8(text);
  std::replace_if(characters.begin(), characters.end(), is_control_character,
                  kReplacementCharacter);
  return to_utf8(characters);
}

bool is_json(const fs::path& roster) { return lower_case(roster.extension().string()) == ".json"; }

}  // namespace sdx
