#include "sdx/cli/command_line.h"

#include <spdlog/spdlog.h>
#include <cstdio>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "cli/option_text.h"
#include "sdx/cli/common_options.h"
#include "sdx/cli/tool.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr int kHelpWidth = 30;

/// "--name=" says that the value is empty; CLI11 2.1 would take the next argument for it.
std::vector<std::string> with_empty_values(const std::vector<std::string>& arguments) {
  std::vector<std::string> all;
  for (const std::string& argument : arguments) {
    if (argument.size() > 3 && argument.starts_with("--") && argument.ends_with('=') &&
        argument.find('=') == argument.size() - 1) {
      all.push_back(argument.substr(0, argument.size() - 1));
      all.emplace_back();
    } else {
      all.push_back(argument);
    }
  }
  return all;
}

}  // namespace

struct CommandLine::Impl {
  CLI::App* app = nullptr;
  std::string path;                           ///< "sdx-model import"
  std::map<std::string, CLI::Option*> typed;  ///< by the setting's key
  std::vector<std::string> further;           ///< positional arguments behind the first
  std::string list_key;                       ///< of the setting that takes them
  std::string config_file;
  Json config = Json::object();
  std::map<std::string, bool> questions;  ///< by their keys: whether they were asked
  std::vector<std::function<void()>> before;
  std::vector<std::function<void()>> after;

  bool is_typed(const std::string& key) const {
    const auto found = typed.find(key);
    return found != typed.end() && found->second->count() > 0;
  }

  /// The texts that were typed for a key.
  std::vector<std::string> texts(const SettingInfo& info) const {
    std::vector<std::string> all = typed.at(info.key)->results();
    if (info.type == SettingType::kFlag) return {all.back() == "false" ? "false" : "true"};
    if (info.key == list_key) all.insert(all.end(), further.begin(), further.end());
    return all;
  }
};

CommandLine::CommandLine() : impl_(std::make_unique<Impl>()) {}
CommandLine::~CommandLine() = default;

void CommandLine::before_values(std::function<void()> action) {
  impl_->before.push_back(std::move(action));
}

void CommandLine::after_values(std::function<void()> action) {
  impl_->after.push_back(std::move(action));
}

std::optional<std::string> CommandLine::given(std::string_view key) const {
  const BoundSetting& setting = settings_.at(key);
  if (impl_->is_typed(setting.info->key)) return impl_->texts(*setting.info).back();
  const auto found = impl_->config.find(setting.info->key);
  if (found == impl_->config.end()) return std::nullopt;
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void CommandLine::add_options(std::size_t first) {
  for (std::size_t i = first; i < settings_.all().size(); ++i) {
    const BoundSetting& setting = settings_.all()[i];
    const SettingInfo& info = *setting.info;
    if (!info.is_option) continue;
    CLI::Option* option = nullptr;
    if (info.type == SettingType::kFlag) {
      option = impl_->app->add_flag_function(
          names_of_option(info), [](std::int64_t) {}, with_option_names(info.help));
    } else {
      const CLI::callback_t keep = [](const CLI::results_t&) { return true; };
      option = impl_->app->add_option(names_of_option(info), CLI::callback_t(keep),
                                      with_option_names(info.help));
      option->type_name(value_name(info))->type_size(1)->expected(1, info.most_at_once);
      option->default_str(setting.to_text());
      if (info.type == SettingType::kTexts) {
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
      }
      // What follows the first positional argument comes back as what is left over: CLI11 would
      // take "[a,b]" for a list of two.
      if (info.type == SettingType::kTexts && info.is_positional) impl_->list_key = info.key;
    }
    option->group(info.group)->required(info.is_required);
    impl_->typed[info.key] = option;
  }
}

/// The commands of a tool as CLI11's application and its subcommands.
class CommandTree {
 public:
  explicit CommandTree(const Command& tool) : root_(tool.description, tool.name) {
    add(tool, root_, tool.name);
  }

  CommandDescription describe(const Command& command, const std::string& path) const {
    const CommandLine& line = *std::find_if(leaves_.begin(), leaves_.end(), [&](const Leaf& leaf) {
                                 return leaf.line->impl_->path == path;
                               })->line;
    CommandDescription description{path, command.description, command.examples, {}, {}};
    for (const bool is_positional : {true, false}) {
      for (const BoundSetting& setting : line.settings_.all()) {
        const SettingInfo& info = *setting.info;
        if (!info.is_option || info.is_positional != is_positional) continue;
        OptionDescription option{info, info.type == SettingType::kFlag ? "" : setting.to_text()};
        option.info.help = with_option_names(info.help);
        description.options.push_back(std::move(option));
      }
    }
    for (const SettingInfo& info : list_questions(command.define != nullptr))
      description.options.push_back({info, ""});
    if (command.parts != nullptr) {
      for (const Command& part : command.parts()) {
        description.parts.push_back(describe(part, path + " " + part.name));
      }
    }
    return description;
  }

  void run(const std::vector<std::string>& arguments) {
    // Asked for help, a person gets it whatever else the line lacks.
    for (const std::string& argument : arguments) {
      const bool asks_all = argument == "--help-all";
      if (asks_all || argument == "-h" || argument == "--help") {
        throw TextAnswer{find_help(arguments, asks_all)};
      }
    }
    std::vector<std::string> words = with_empty_values(arguments);
    std::reverse(words.begin(), words.end());  // as CLI11 wants a vector
    try {
      root_.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
      answer_version();
      explain(error, arguments);
    }
    answer_version();
    for (Leaf& leaf : leaves_) {
      if (!leaf.line->impl_->app->parsed()) continue;
      if (!leaf.action) throw UsageError("expected " + names_of_parts(*leaf.command));
      apply(leaf, root_.remaining(/*recurse=*/true));
      return leaf.action();
    }
  }

 private:
  struct Leaf {
    const Command* command;
    std::unique_ptr<CommandLine> line;
    std::function<void()> action;
  };

  void add(const Command& command, CLI::App& app, const std::string& path) {
    auto line = std::make_unique<CommandLine>();
    CommandLine::Impl& impl = *line->impl_;
    impl.app = &app;
    impl.path = path;
    app.get_formatter()->column_width(kHelpWidth);
    app.allow_extras();   // to name what is unknown ourselves
    app.set_help_flag();  // which run() answers
    for (const SettingInfo& info : list_questions(command.define != nullptr)) {
      CLI::Option* const option =
          info.type == SettingType::kFlag
              ? app.add_flag(names_of_option(info), impl.questions[info.key], info.help)
              : app.add_option(names_of_option(info), impl.config_file, info.help)
                    ->type_name(value_name(info));
      option->group(info.group);
    }
    std::function<void()> action;
    if (command.define != nullptr) action = command.define(*line);
    const std::size_t place = leaves_.size();
    leaves_.push_back({&command, std::move(line), std::move(action)});
    if (command.parts == nullptr) return;
    app.require_subcommand(1);
    for (const Command& part : command.parts()) {
      add(part, *app.add_subcommand(part.name, part.description), path + " " + part.name);
    }
    // Parts come first where the one that is asked for is sought.
    std::rotate(leaves_.begin() + static_cast<std::ptrdiff_t>(place),
                leaves_.begin() + static_cast<std::ptrdiff_t>(place) + 1, leaves_.end());
  }

  /// The help of the command that the first arguments name. It shows the common options; all of
  /// them where that is asked for, or where none is called common.
  std::string find_help(const std::vector<std::string>& arguments, bool asks_all) {
    CLI::App* const app = app_named(arguments);
    const Leaf& leaf = find_leaf(app);
    const CommandLine::Impl& impl = *leaf.line->impl_;
    const auto& settings = leaf.line->settings_.all();
    const bool has_common = std::any_of(settings.begin(), settings.end(), [](const auto& setting) {
      return setting.info->is_option && setting.info->is_common &&
             setting.info->group != kMessageGroup;
    });
    std::string more;
    if (has_common && !asks_all) {
      for (const BoundSetting& setting : settings) {
        const SettingInfo& info = *setting.info;
        if (info.is_option && !info.is_common) impl.typed.at(info.key)->group("");
      }
      for (const SettingInfo& info : list_questions(leaf.command->define != nullptr)) {
        if (!info.is_common) app->get_option("--" + info.key)->group("");
      }
      more = "\nAll options: " + impl.path + " --help-all\n";
    }
    app->footer(more + "\nExamples:\n" + leaf.command->examples);
    const std::size_t end = impl.path.rfind(' ');
    return app->help(end == std::string::npos ? "" : impl.path.substr(0, end));
  }

  /// The command that the first arguments name.
  CLI::App* app_named(const std::vector<std::string>& arguments) {
    CLI::App* app = &root_;
    for (const std::string& argument : arguments) {
      const auto parts =
          app->get_subcommands([&](const CLI::App* part) { return part->get_name() == argument; });
      if (parts.empty()) break;
      app = parts.front();
    }
    return app;
  }

  void answer_version() const {
    for (const Leaf& leaf : leaves_) {
      if (leaf.line->impl_->questions[kAskVersion.key]) {
        throw TextAnswer{version_text() + ", " + recordings_text() + "\n"};
      }
    }
  }

  static std::string names_of_parts(const Command& command) {
    std::vector<std::string> names;
    for (const Command& part : command.parts()) names.emplace_back(part.name);
    return list_choices(names);
  }

  const Leaf& find_leaf(const CLI::App* app) const {
    return *std::find_if(leaves_.begin(), leaves_.end(),
                         [&](const Leaf& leaf) { return leaf.line->impl_->app == app; });
  }

  [[noreturn]] void explain(const CLI::ParseError& error,
                            const std::vector<std::string>& arguments) {
    const Leaf& leaf = find_leaf(app_named(arguments));
    if (leaf.command->parts != nullptr) {
      const auto first = std::find_if(arguments.begin(), arguments.end(), [&](const auto& word) {
        return leaf.line->impl_->path.find(word) == std::string::npos;
      });
      throw UsageError("expected " + names_of_parts(*leaf.command) +
                       (first == arguments.end() ? "" : ", found \"" + *first + "\"") + "; see " +
                       leaf.line->impl_->path + " --help");
    }
    throw UsageError(std::string(error.what()) + "; see " + leaf.line->impl_->path + " --help");
  }

  /// What no option took: further positional arguments, unless it is an unknown option.
  static void take_rest(const Leaf& leaf, const std::vector<std::string>& rest) {
    CommandLine::Impl& impl = *leaf.line->impl_;
    bool has_mark = false;
    for (const std::string& argument : rest) {
      if (!has_mark && argument == "--") {
        has_mark = true;
      } else if (!has_mark && argument.size() > 1 && argument.starts_with('-')) {
        throw_unknown(leaf, argument.substr(0, argument.find('=')));
      } else if (impl.list_key.empty()) {
        throw UsageError("the argument \"" + argument + "\" is one too many; see " + impl.path +
                         " --help");
      } else {
        impl.further.push_back(argument);
      }
    }
  }

  /// Whether a person who typed `option` may have meant `name`: two thirds of the letters are
  /// right, or one is a part of the other.
  static bool is_alike(std::string_view option, std::string_view name) {
    const std::size_t dashes = std::min(option.find_first_not_of('-'), option.size());
    const std::string_view typed = option.substr(dashes);
    const std::string_view known = name.substr(2);
    constexpr std::size_t kTelling = 3;  // letters; shorter parts are in half of all names
    if (typed.size() >= kTelling && known.find(typed) != std::string_view::npos) return true;
    if (known.size() >= kTelling && typed.find(known) != std::string_view::npos) return true;
    return 3 * edit_distance(typed, known) <= std::max(typed.size(), known.size());
  }

  [[noreturn]] static void throw_unknown(const Leaf& leaf, const std::string& option) {
    std::vector<std::string> alike;  // a name that shares next to nothing would only mislead
    for (const CLI::Option* known : leaf.line->impl_->app->get_options()) {
      for (const std::string& name : known->get_lnames()) {
        if (is_alike(option, "--" + name)) alike.push_back("--" + name);
      }
    }
    const std::string nearest =
        alike.empty() ? "" : "; the nearest are " + join(nearest_words(option, alike, 3), ", ");
    constexpr std::size_t kLongestOption = 60;
    throw UsageError("unknown option " +
                     (option.size() > kLongestOption ? in_quotes(option) : option) + nearest +
                     "; all are shown by " + leaf.line->impl_->path + " --help");
  }

  static Json read_config(const std::string& file) {
    try {
      return read_json_file(file);
    } catch (const Error& error) {
      throw Error(error.exit_code(), std::string("--config: ") + error.what());
    }
  }

  static void apply(const Leaf& leaf, const std::vector<std::string>& rest) {
    CommandLine& line = *leaf.line;
    CommandLine::Impl& impl = *line.impl_;
    take_rest(leaf, rest);
    if (!impl.config_file.empty()) impl.config = read_config(impl.config_file);
    for (const BoundSetting& setting : line.settings_.all()) {
      const std::string& variable = setting.info->environment;
      const char* const value = variable.empty() ? nullptr : std::getenv(variable.c_str());
      if (value != nullptr) setting.set_text(value);
    }
    for (const auto& action : impl.before) action();
    line.settings_.read_json(impl.config, impl.config_file);
    for (const BoundSetting& setting : line.settings_.all()) {
      const SettingInfo& info = *setting.info;
      if (info.is_option && impl.is_typed(info.key)) setting.set_texts(impl.texts(info));
    }
    if (impl.questions[kAskConfig.key]) throw TextAnswer{line.settings_.to_json().dump(2) + "\n"};
    for (const auto& action : impl.after) action();
  }

  CLI::App root_;
  std::vector<Leaf> leaves_;
};

CommandDescription describe_command(const Command& tool) {
  return CommandTree(tool).describe(tool, tool.name);
}

void run_command(const Command& tool, const std::vector<std::string>& arguments) {
  CommandTree(tool).run(arguments);
}

std::string with_option_names(const std::string& message) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  std::string text;
  std::string_view rest = message;
  for (;;) {
    const std::size_t mark = rest.find('`');
    text += rest.substr(0, mark);
    if (mark == rest.npos) return text;
    rest.remove_prefix(mark + 1);
    const std::size_t length = rest.find_first_not_of(kLetters);
    const bool is_setting =
        length != rest.npos && rest[length] == '`' && rest.front() >= 'a' && rest.front() <= 'z';
    text += is_setting ? "--" : "`";
    if (!is_setting) continue;
    text += rest.substr(0, length);
    rest.remove_prefix(length + 1);
  }
}

std::string to_terminal_text(const std::string& message) {
  std::string text;
  for (const char c : with_option_names(message)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 0x20 || c == '\n' || c == '\t') && byte != 0x7F) {
      text += c;
      continue;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned>(byte));
    text += escaped;
  }
  return text;
}

}  // namespace sdx
