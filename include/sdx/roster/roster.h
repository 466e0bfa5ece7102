#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sdx/dataset/templates.h"
#include "sdx/roster/consent.h"
#include "sdx/util/error.h"

namespace sdx {

/// A person of the team.
struct Member {
  std::string name;  ///< the tag: <name> in prompts
  std::filesystem::path
      portraits;     ///< folder; a relative one was seen from the roster's own folder
  std::string init;  ///< start of the training; empty: as the settings say
  SubjectKind kind = SubjectKind::kPerson;
  /// For find_prompts, in place of --prompts; a relative path was seen from the roster's own
  /// folder; empty: none of their own.
  std::string prompts;
  Consent consent;
  bool shows_portrait = false;  ///< the gallery may show a portrait of this person
  int line = 0;  ///< in the roster: the row's first line; in JSON the number of the entry, from 1
};

/// A row that cannot be used, and the reason.
struct RosterProblem {
  std::string where;  ///< "team.csv, line 7"; "team.json, entry 3"
  std::string name;   ///< as written, may be empty; what cannot be shown is U+FFFD
  ExitCode code = ExitCode::kData;
  std::string text;  ///< what is wrong with the row, and what to do; several things after "; "
};

/// A list of people, with where each one's portraits are.
struct Roster {
  std::filesystem::path path;
  std::vector<Member> members;          ///< those that can be used, in order
  std::vector<RosterProblem> problems;  ///< one for each of the other rows, in order
  /// Whether there is a column (in JSON: a key of any entry) `consent`; then nothing may be made of
  /// those who gave none (why_refused).
  bool records_consent = false;
};

/// Reads a roster: JSON if its name ends in ".json", else CSV.
///
/// CSV: the first line names the columns `name`, `portraits` and, at will, `init`, `kind`,
/// `prompts`, `consent`, `until` (YYYY-MM-DD), `show_portrait`, in any order and case. Fields may
/// stand in quotes; blanks around them, a byte-order mark, blank rows and kinds of line ends don't
/// matter. JSON: an array of objects with these keys, or an object with that array as `members`;
/// `consent` and `show_portrait` may be true or false.
///
/// Other columns ("department") are passed over. But one that looks like a known column which is
/// missing ("potraits", "consent until") is refused: otherwise people whose consent has ended would
/// be drawn all the same. In CSV it makes the file unusable, in JSON the entry.
///
/// A row can have a problem without stopping the others. It is not UTF-8, has more fields than
/// there are columns, or has JSON values of a wrong type. Its name or portraits are empty, its name
/// is impossible (name_fault), or its kind is unknown. Its `until` is no date or stands without
/// `consent`. Its `show_portrait` is neither a clear yes nor a clear no (why_refused). Two rows
/// with the same name (caseless_name) or the same folder of portraits both have a problem, which
/// names the other row: only the author can tell which of them is right.
/// @throws as read_file and read_json_file; DataError for a file that names nobody, is no text, has
///         no column `name` or `portraits`, one of them twice, one that looks like a missing one,
///         or damaged quotes (with the line: what follows them can't be told apart).
Roster read_roster(const std::filesystem::path& path);

/// Where a member stands in a roster: "team.csv, line 7" or "team.json, entry 3".
std::string describe_place(const std::filesystem::path& roster, int line);

/// Looks whether a member's portraits are there: a folder with at least kFewestPortraits files that
/// begin like one of readable_formats(), whatever they are called. Subfolders and hidden files are
/// passed over, and nothing is decoded: see load_portraits for what training thinks of them.
/// @param roster for the place in the message
/// @return nothing if so; else 66 (missing, no folder, too few), 77 (not readable) or 74.
std::optional<RosterProblem> check_portraits(const Member& member,
                                             const std::filesystem::path& roster);

}  // namespace sdx
