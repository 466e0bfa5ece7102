#include "cli/model/shown_files.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "sdx/cli/tool.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

void show(const ShownFilesArguments& arguments, const std::string& plural,
          const std::function<ShownFile(const std::string& file)>& read) {
  const std::vector<std::string>& files = arguments.files;
  std::optional<Error> first_error;
  std::size_t bad = 0;
  for (const std::string& file : files) {
    try {
      const ShownFile shown = read(file);
      say_json(arguments.common, shown.json);
      if (arguments.common.json) continue;
      if (&file != &files.front()) std::puts("");
      shown.print();
    } catch (const Error& error) {
      if (files.size() == 1) throw;
      say(error.what());
      say_json(arguments.common, {{"file", file}, {"problem", error.what()}});
      if (!first_error) first_error = error;
      ++bad;
    }
  }
  if (!first_error) return;
  throw Error(first_error->exit_code(), std::to_string(bad) + " of " +
                                            std::to_string(files.size()) +
                                            " files cannot be read as " + plural);
}

}  // namespace

SettingsTable<ShownFilesArguments> make_shown_files_settings(const std::string& help) {
  SettingsTable<ShownFilesArguments> table;
  table.group("Input");
  table.add("files", &ShownFilesArguments::files, help)
      .names(SettingValue::kFile)
      .positional()
      .required();
  return table;
}

std::function<void()> define_shown_files(CommandLine& line,
                                         const SettingsTable<ShownFilesArguments>& settings,
                                         const std::string& plural,
                                         std::function<ShownFile(const std::string& file)> read) {
  auto arguments = std::make_shared<ShownFilesArguments>();
  line.add(settings, *arguments);
  add_message_options(line, arguments->common);
  return [arguments, plural, read = std::move(read)] { show(*arguments, plural, read); };
}

}  // namespace sdx
