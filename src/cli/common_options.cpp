#include "sdx/cli/common_options.h"

#include <spdlog/spdlog.h>

namespace sdx {

namespace {

SettingsTable<CommonOptions> make_message_table(bool has_verbose) {
  SettingsTable<CommonOptions> table;
  table.group(kMessageGroup);
  table.add("json", &CommonOptions::json, "Print one JSON object on each line of stdout");
  table.add("quiet", &CommonOptions::quiet, "Print errors only").letter('q').common();
  if (has_verbose) {
    table
        .add("verbose", &CommonOptions::verbose,
             "Print what is chosen, loaded and measured, and how long it takes")
        .letter('v');
  }
  return table;
}

void add_messages(CommandLine& line, const SettingsTable<CommonOptions>& table,
                  CommonOptions& options) {
  line.add(table, options);
  line.after_values([&options] {
    if (options.quiet) {
      spdlog::set_level(spdlog::level::err);
    } else if (options.verbose) {
      spdlog::set_level(spdlog::level::debug);
    }
  });
}

}  // namespace

void add_common_options(CommandLine& line, CommonOptions& options) {
  static const SettingsTable<CommonOptions> kMessages = make_message_table(true);
  line.add(model_settings(), static_cast<ModelOptions&>(options));
  add_messages(line, kMessages, options);
}

void add_message_options(CommandLine& line, CommonOptions& options) {
  static const SettingsTable<CommonOptions> kMessages = make_message_table(false);
  add_messages(line, kMessages, options);
}

}  // namespace sdx
