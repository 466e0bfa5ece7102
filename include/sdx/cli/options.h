#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "sdx/util/json.h"

namespace sdx {

/// Thrown when a question on the command line is answered with a text and nothing else is to be
/// done:
/// --help, --version, --print-config.
struct TextAnswer {
  std::string text;
};

/// CLI11 takes an argument "[a,b]" for a list of two; a guard behind the bracket keeps a prompt
/// with an edit in one piece.
std::string with_guard(const std::string& argument);
std::string without_guard(std::string argument);

/// The options of a tool, each bound to a field of a struct: name, default, help and the key in
/// --config are written once, here. Precedence: default < --config FILE.json < command line.
class OptionTable {
 public:
  /// @param examples shown at the end of --help, one a line
  OptionTable(const std::string& tool, const std::string& description, const std::string& examples);

  /// Binds `names` ("-n,--count", or "prompt" for a positional one) to `value`, whose present value
  /// is the default.
  template <typename T>
  CLI::Option* add(const std::string& group, const std::string& names, T& value,
                   const std::string& help) {
    CLI::Option* option = app_.add_option(names, value, help)->group(group)->capture_default_str();
    if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::vector<std::string>>) {
      option->transform(&without_guard, "", "");
      // A repeatable option takes one text each time, so that a prompt may stand behind it.
      if (names.starts_with('-')) option->allow_extra_args(false);
    }
    return option;
  }

  /// The same for a value with a spelling of its own: `parse` takes the text (and may throw
  /// UsageError), `shown` is the default's spelling.
  void add_parsed(const std::string& group, const std::string& names, const std::string& shown,
                  const std::function<void(const std::string&)>& parse, const std::string& help);

  CLI::Option* add_flag(const std::string& group, const std::string& names, bool& value,
                        const std::string& help);

  /// What is to be done as soon as the values hold.
  void when_parsed(std::function<void()> action);

  /// @throws UsageError with the nearest options' names; TextAnswer.
  void parse(int argc, const char* const* argv);

  /// All options with the values that hold now: what --print-config shows.
  Json effective() const;

 private:
  CLI::App app_;
  std::vector<std::function<void()>> when_parsed_;
  std::string tool_;
  bool print_config_ = false;
  bool show_version_ = false;
};

/// The value of `--name VALUE` or `--name=VALUE`, before the options are parsed.
std::optional<std::string> peek_option(const std::vector<std::string>& arguments,
                                       const std::string& name);

/// The options that every tool with a model has.
struct CommonOptions {
  std::string model = "mini";   ///< name or folder of a bundle; $SDX_MODEL goes before this
  std::string device = "auto";  ///< see choose_target()
  std::string dtype = "auto";   ///< see choose_target()
  int threads = 0;              ///< 0: one for each core
  bool json = false;            ///< one JSON object a line on stdout
  bool quiet = false;
  bool verbose = false;
};

void add_common_options(OptionTable& table, CommonOptions& options);

/// Of these --json and -q, for what computes nothing. --quiet and --verbose hold from the parsing
/// on, for the messages of every module.
void add_message_options(OptionTable& table, CommonOptions& options);

}  // namespace sdx
