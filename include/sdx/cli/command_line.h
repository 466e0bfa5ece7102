#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/settings_table.h"

namespace sdx {

/// Thrown when a question on the command line is answered with a text and nothing else is to be
/// done: --help, --help-all, --version, --print-config.
struct TextAnswer {
  std::string text;
};

/// The settings of one command as a person gives them: with --config FILE.json and as options. Each
/// row of a table is an option, --key; precedence is default < environment < --config < typed.
class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Offers the settings of `value`. Its present values are the defaults. It outlives this.
  template <typename S>
  void add(const SettingsTable<S>& table, S& value) {
    const std::size_t first = settings_.all().size();
    settings_.add(table, value);
    add_options(first);
  }

  /// What is done before --config and the options are applied, so that they come before it: a
  /// preset's values, the settings of a resumed run. given() may be asked there.
  void before_values(std::function<void()> action);

  /// What is done as soon as all values hold.
  void after_values(std::function<void()> action);

  /// The text that the command line, else --config, gives for a key; nothing where neither does.
  std::optional<std::string> given(std::string_view key) const;

  /// All settings of the command.
  const Settings& settings() const { return settings_; }

 private:
  friend class CommandTree;
  struct Impl;

  void add_options(std::size_t first);

  Settings settings_;
  std::unique_ptr<Impl> impl_;
};

/// What can be typed: a tool ("sdx-model") or a part of one ("import"), each with a --help of its
/// own.
struct Command {
  const char* name;
  const char* description;
  const char* examples;  ///< shown at the end of --help, one a line
  /// Adds its settings, and gives what is to be done once they hold; nullptr: it has parts.
  std::function<void()> (*define)(CommandLine& line) = nullptr;
  std::span<const Command> (*parts)() = nullptr;  ///< nullptr: it has none
};

/// What can be typed behind a command: one of its settings, or a question such as --help.
struct OptionDescription {
  SettingInfo info;
  std::string default_text;  ///< as it would be typed; empty where there is none
};

/// All that can be typed of a command, for its manual and for shells.
struct CommandDescription {
  std::string path;                        ///< "sdx-model import"
  std::string description;                 ///< one line, in the imperative
  std::string examples;                    ///< one a line
  std::vector<OptionDescription> options;  ///< in the order of --help-all; positional ones first
  std::vector<CommandDescription> parts;
};

/// What a tool and its parts offer.
CommandDescription describe_command(const Command& tool);

/// Reads the arguments that follow the tool's name, and does what they ask for.
/// @throws TextAnswer; UsageError with the nearest names for an unknown option; what the command
///         throws.
void run_command(const Command& tool, const std::vector<std::string>& arguments);

/// A message of the library, which names settings by their keys in backticks, with the options that
/// set them: `steps` becomes the option's name, with its dashes.
std::string with_option_names(const std::string& message);

/// A message as it may be shown on a terminal: with_option_names, and control characters (which may
/// stand in a file's name) as "\x1b", so that they do nothing there.
std::string to_terminal_text(const std::string& message);

}  // namespace sdx
