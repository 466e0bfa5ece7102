#include "sdx/roster/roster.h"

#include <map>
#include <system_error>
#include <utility>

#include "sdx/dataset/portraits.h"
#include "sdx/image/format.h"
#include "sdx/roster/prompt_packs.h"
#include "sdx/roster/rows.h"
#include "sdx/util/file.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// A row on its way to become a member or a problem.
struct MemberReading {
  Member member;
  std::vector<std::string> faults;
};

std::string find_value(const RosterRow& row, const char* column) {
  const auto found = row.values.find(column);
  return found != row.values.end() ? found->second : "";
}

std::string list_prompts(const std::string& written, const fs::path& folder) {
  if (written.empty()) return "";
  const fs::path beside = folder / written;  // an absolute path stays
  std::error_code ignored;
  const bool is_file = is_prompt_path(written) || fs::is_regular_file(beside, ignored);
  return is_file ? beside.string() : written;
}

MemberReading read_member(const RosterRow& row, const fs::path& folder) {
  MemberReading reading{{}, row.faults};
  Member& member = reading.member;
  member.line = row.number;
  member.name = find_value(row, "name");
  // Values of a row that is damaged as such may stand in wrong columns.
  if (!row.faults.empty()) return reading;
  const auto complain = [&reading](const std::string& fault) { reading.faults.push_back(fault); };

  if (const auto fault = name_fault(member.name)) {
    complain("the name " + *fault + "; expected one word, for example AdaLovelace");
  }
  const std::string portraits = find_value(row, "portraits");
  if (portraits.empty()) complain("portraits is empty; it names the folder of the pictures");
  if (!portraits.empty()) member.portraits = folder / portraits;
  member.init = find_value(row, "init");
  const std::string kind = find_value(row, "kind");
  try {
    if (!kind.empty()) member.kind = parse_enum<SubjectKind>(kind, "kind");
  } catch (const UsageError&) {
    complain("kind: expected person, object or style, found \"" + shown(kind) + "\"");
  }
  member.prompts = list_prompts(find_value(row, "prompts"), folder);
  member.consent = {find_value(row, "consent"), find_value(row, "until")};
  const std::string& until = member.consent.until;
  if (!until.empty() && !is_date(until)) {
    complain("until: expected a date such as 2027-03-31, found \"" + shown(until) + "\"");
  }
  if (!until.empty() && member.consent.given.empty()) {
    complain("until says when a consent ends, but consent is empty");
  }
  const std::string show = find_value(row, "show_portrait");
  if (!show.empty()) {
    const auto refusal = why_refused({show, ""}, "");
    member.shows_portrait = !refusal;
    if (refusal && refusal->code == ExitCode::kData) {
      complain("show_portrait: expected yes, no or nothing, found \"" + shown(show) + "\"");
    }
  }
  return reading;
}

/// The folder whatever way leads there, so that paths can be compared.
fs::path real_folder(const fs::path& folder) {
  std::error_code failure;
  const fs::path whole = fs::absolute(folder);
  fs::path real = fs::weakly_canonical(whole, failure);
  if (failure) real = whole.lexically_normal();
  return real.has_filename() ? real : real.parent_path();
}

/// Drafts that `key` says are the same: each gets a fault that names the others, or the first few
/// of them.
template <typename Key>
void refuse_doubles(std::vector<MemberReading>& readings, const fs::path& roster,
                    const std::string& what, Key&& key) {
  constexpr std::size_t kNamed = 5;
  std::map<std::string, std::vector<MemberReading*>> same;
  for (MemberReading& reading : readings) {
    if (const std::string text = key(reading.member); !text.empty()) same[text].push_back(&reading);
  }
  for (const auto& [text, group] : same) {
    if (group.size() == 1) continue;
    for (MemberReading* const reading : group) {
      std::vector<std::string> others;
      for (const MemberReading* const other : group) {
        if (other == reading) continue;
        if (others.size() == kNamed) {
          others.push_back("and " + std::to_string(group.size() - 1 - kNamed) + " more");
          break;
        }
        others.push_back(describe_place(roster, other->member.line) + " (" +
                         shown(other->member.name) + ")");
      }
      reading->faults.push_back(what + join(others, ", "));
    }
  }
}

std::string seen_from_roster(const fs::path& portraits, const fs::path& roster) {
  const std::string seen = portraits.lexically_relative(roster.parent_path()).string();
  return seen.empty() || seen.starts_with("..") ? portraits.string() : seen;
}

bool is_image(const fs::path& file) {
  return signed_format(read_file_start(file, kSignatureBytes)).has_value();
}

/// What is wrong with a folder of portraits; mostly nothing.
std::optional<Error> folder_fault(const fs::path& folder) {
  std::error_code failure;
  const fs::file_type type = fs::status(folder, failure).type();
  if (type == fs::file_type::not_found) return MissingInputError("no such folder of portraits");
  if (type != fs::file_type::directory && !failure) {
    return MissingInputError("expected a folder of portraits, found a file");
  }
  int images = 0;
  int unreadable = 0;
  for (fs::directory_iterator entry(folder, failure); !failure && entry != fs::directory_iterator();
       entry.increment(failure)) {
    std::error_code ignored;
    const fs::path& file = entry->path();
    if (file.filename().string().starts_with('.') || entry->is_directory(ignored)) continue;
    try {
      if (is_image(file)) ++images;
    } catch (const PermissionError&) {
      ++unreadable;
    } catch (const Error&) {
      // A pipe, a link to nowhere, a damaged sector: no picture that training could use.
    }
  }
  if (failure == std::errc::permission_denied) {
    return PermissionError("the folder of portraits must not be read; change its permissions");
  }
  if (failure) return IoError("cannot read the folder of portraits: " + failure.message());
  if (images >= kFewestPortraits) return std::nullopt;
  const std::string counts = "expected at least " + std::to_string(kFewestPortraits) +
                             " pictures (" + describe_readable_formats() + "), found " +
                             std::to_string(images);
  if (unreadable == 0) return MissingInputError(counts);
  return PermissionError(counts + " and " + std::to_string(unreadable) +
                         " files that must not be read");
}

}  // namespace

Roster read_roster(const fs::path& path) {
  const RosterRows rows = read_rows(path);
  std::vector<MemberReading> readings;
  for (const RosterRow& row : rows.rows) readings.push_back(read_member(row, path.parent_path()));
  refuse_doubles(readings, path, "the name is also that of ", [](const Member& member) {
    return name_fault(member.name) ? "" : caseless_name(member.name);
  });
  refuse_doubles(readings, path, "the folder of portraits is also that of ",
                 [](const Member& member) {
                   return member.portraits.empty() ? "" : real_folder(member.portraits).string();
                 });
  Roster roster;
  roster.path = path;
  roster.records_consent = rows.records_consent;
  for (MemberReading& reading : readings) {
    Member& member = reading.member;
    if (reading.faults.empty()) {
      roster.members.push_back(std::move(member));
    } else {
      roster.problems.push_back({describe_place(path, member.line), shown(member.name),
                                 ExitCode::kData, join(reading.faults, "; ")});
    }
  }
  return roster;
}

std::string describe_place(const fs::path& roster, int line) {
  return roster.filename().string() + (is_json(roster) ? ", entry " : ", line ") +
         std::to_string(line);
}

std::optional<RosterProblem> check_portraits(const Member& member, const fs::path& roster) {
  const auto fault = folder_fault(member.portraits);
  if (!fault) return std::nullopt;
  return RosterProblem{describe_place(roster, member.line), member.name, fault->exit_code(),
                       seen_from_roster(member.portraits, roster) + ": " + fault->what()};
}

}  // namespace sdx
