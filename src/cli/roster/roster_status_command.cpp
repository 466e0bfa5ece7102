#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

#include "cli/roster/roster_actions.h"
#include "cli/roster/roster_reporter.h"
#include "sdx/cli/tool.h"
#include "sdx/roster/team_plan.h"
#include "sdx/roster/team_state.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::string write_line(const MemberState& state) {
  std::string line = placeholder(state.name) + ": ";
  if (state.is_locked) {
    line += "somebody works on it now";
    if (state.steps) line += ", " + std::to_string(*state.steps) + " steps are done";
  } else if (state.why_train) {
    line += "to be trained, " + *state.why_train;
    if (state.steps) line += "; resumes after step " + std::to_string(*state.steps);
  } else {
    line += "trained";
  }
  line += "; " + std::to_string(state.images) + " of " + std::to_string(state.images_planned) +
          " pictures";
  if (state.failure) line += "; failed: " + state.failure->text;
  return line;
}

Json to_json(const MemberState& state) {
  Json json = {{"person", state.name},
               {"trained", !state.why_train.has_value()},
               {"working", state.is_locked},
               {"pictures", state.images},
               {"pictures_wanted", state.images_planned}};
  if (state.why_train) json["to_train"] = *state.why_train;
  if (state.steps) json["steps"] = *state.steps;
  if (state.failure) {
    json["exit_code"] = static_cast<int>(state.failure->code);
    json["problem"] = state.failure->text;
  }
  return json;
}

}  // namespace

namespace {

/// A team's folder, perhaps somebody in it.
struct TeamArguments {
  std::string folder;
  std::string name;
  bool yes = false;
  CommonOptions messages;
};

SettingsTable<TeamArguments> make_table(bool has_name) {
  SettingsTable<TeamArguments> table;
  table.group("Input");
  table.add("team", &TeamArguments::folder, "Folder of the team")
      .names(SettingValue::kFolder)
      .positional()
      .required();
  if (has_name) {
    table.add("name", &TeamArguments::name, "Person to forget, as in the roster")
        .positional()
        .required();
    table.add("yes", &TeamArguments::yes, "Do not ask; a script must say so");
  }
  return table;
}

void show_status(const std::string& folder, const CommonOptions& messages) {
  TeamOptions options;
  ModelOptions model;
  read_team_options(folder, options, model);
  const Bundle bundle = Bundle::find(model.model);
  const CheckedTeam team =
      plan_team(options, model, bundle, *bundle.load_tokenizer(), version_text());
  show_problems(team.problems, messages);
  std::size_t done = 0;
  const TeamStatus status(team.plan, bundle);
  for (const TeamMember& member : team.plan.members) {
    const MemberState state = status.examine(member);
    if (state.is_done()) ++done;
    say_json(messages, to_json(state));
    if (!messages.json) std::puts(to_terminal_text(write_line(state)).c_str());
  }
  say(std::to_string(done) + " of " + std::to_string(team.plan.members.size()) + " people done" +
      (done == team.plan.members.size() ? "" : "; sdx-roster retry " + folder + " resumes"));
}

/// Whether the person at the terminal wants the files to go.
/// @throws UsageError if there is no terminal
bool confirm(const std::string& name, std::size_t files) {
  const std::string what = std::to_string(files) + " files of " + placeholder(name);
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
    throw UsageError("nothing is removed, because nobody can be asked here: `yes` says that the " +
                     what + " shall go");
  }
  std::fputs(("Remove these " + what + "? [y/N] ").c_str(), stderr);
  std::string answer;
  std::getline(std::cin, answer);
  answer = trim(answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

void forget(const TeamArguments& asked) {
  const TeamFolder team{asked.folder};
  const auto show = [&](const std::vector<fs::path>& files) {
    for (const fs::path& file : files) std::puts((team.root / file).c_str());
  };
  if (!asked.yes) {
    const std::vector<fs::path> files = list_files_of_person(team, asked.name);
    if (!asked.messages.json) show(files);
    if (!confirm(asked.name, files.size())) return say("Nothing was removed");
  }
  const std::vector<fs::path> removed = forget_person(team, asked.name);
  for (const fs::path& file : removed) {
    say_json(asked.messages, {{"removed", (team.root / file).string()}});
  }
  if (asked.yes && !asked.messages.json) show(removed);
  say("Removed " + std::to_string(removed.size()) + " files of " + placeholder(asked.name) +
      ". The portraits and the roster are as they were: take the row out, or the "
      "next run trains again");
}

}  // namespace

std::function<void()> define_roster_status(CommandLine& line) {
  static const SettingsTable<TeamArguments> kTable = make_table(false);
  auto asked = std::make_shared<TeamArguments>();
  line.add(kTable, *asked);
  add_message_options(line, asked->messages);
  return [asked] { show_status(asked->folder, asked->messages); };
}

std::function<void()> define_roster_forget(CommandLine& line) {
  static const SettingsTable<TeamArguments> kTable = make_table(true);
  auto asked = std::make_shared<TeamArguments>();
  line.add(kTable, *asked);
  add_message_options(line, asked->messages);
  return [asked] { forget(*asked); };
}

}  // namespace sdx
