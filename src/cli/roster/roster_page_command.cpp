#include <cstdio>
#include <filesystem>

#include "cli/roster/roster_actions.h"
#include "sdx/cli/tool.h"
#include "sdx/embedding/embedding.h"
#include "sdx/roster/team_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

struct PageArguments {
  std::string folder;
  std::string name;
  std::string out;
  bool replace = false;
  CommonOptions messages;
};

void write_page(const PageArguments& asked) {
  // The name is checked before it becomes part of a path.
  const TeamFolder team{asked.folder};
  const std::string file_name = team.person(asked.name).filename().string() + ".html";
  const fs::path page = asked.out.empty() ? fs::path(file_name) : fs::path(asked.out);
  if (fs::exists(page) && !asked.replace) {
    throw CannotCreateError(page.string() + ": is there already; --force replaces it");
  }
  const std::size_t count = write_page_of_person(team, asked.name, page);
  say_json(asked.messages, {{"page", page.string()}, {"pictures", count}});
  if (!asked.messages.json) std::puts(page.c_str());
  say("Wrote a page with " + count_in_words(count, "picture", "pictures") + " of " +
      placeholder(asked.name) + ". It holds nothing of other people");
}

}  // namespace

std::function<void()> define_roster_page(CommandLine& line) {
  static const SettingsTable<PageArguments> kTable = [] {
    SettingsTable<PageArguments> table;
    table.group("Input");
    table.add("team", &PageArguments::folder, "Folder of the team")
        .names(SettingValue::kFolder)
        .positional()
        .required();
    table.add("name", &PageArguments::name, "Person whom the page is for, as in the roster")
        .positional()
        .required();
    table.group("Output");
    table.add("out", &PageArguments::out, "File to write; default: NAME.html in this folder")
        .path();
    table.add("force", &PageArguments::replace, "Replace a file that is there already");
    return table;
  }();
  auto asked = std::make_shared<PageArguments>();
  line.add(kTable, *asked);
  add_message_options(line, asked->messages);
  return [asked] { write_page(*asked); };
}

}  // namespace sdx
