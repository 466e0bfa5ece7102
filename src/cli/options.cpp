#include "sdx/cli/options.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "sdx/cli/tool.h"
#include "sdx/device/device.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr int kHelpWidth = 30;
constexpr char kGuard = '\x1f';

/// --config files and --print-config in JSON: one object, the keys are the long names of the
/// options.
class JsonConfig : public CLI::Config {
 public:
  std::string to_config(const CLI::App* app, bool /*default_also*/, bool /*descriptions*/,
                        std::string /*prefix*/) const override {
    return effective(app).dump(2);
  }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    Json json;
    try {
      json = Json::parse(input);
    } catch (const Json::exception& error) {
      throw DataError(std::string("--config: not JSON: ") + error.what());
    }
    if (!json.is_object()) throw DataError("--config: expected one JSON object");
    std::vector<CLI::ConfigItem> settings;
    for (const auto& [key, value] : json.items()) {
      CLI::ConfigItem item;
      item.name = key;
      for (const Json& single : value.is_array() ? value : Json::array({value})) {
        item.inputs.push_back(single.is_string() ? with_guard(single.get<std::string>())
                                                 : single.dump());
      }
      settings.push_back(item);
    }
    return settings;
  }

  static Json effective(const CLI::App* app) {
    Json json = Json::object();
    for (const CLI::Option* option : app->get_options()) {
      const std::string& name =
          option->get_lnames().empty() ? option->get_name() : option->get_lnames().front();
      if (!option->get_configurable()) continue;
      json[name] = option_value(*option);
    }
    return json;
  }

 private:
  static Json option_value(const CLI::Option& option) {
    const bool is_flag = option.get_expected_max() == 0;
    if (is_flag) return option.count() > 0 && option.as<bool>();
    std::vector<std::string> values = option.results();
    for (std::string& value : values) value = without_guard(std::move(value));
    if (option.get_expected_max() > 1) return values;
    return typed(option.count() > 0 ? values.back() : option.get_default_str());
  }

  /// A number where the text is one.
  static Json typed(const std::string& text) {
    const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    return value.is_number() ? value : Json(text);
  }
};

/// CLI11's message, and the option names that come nearest to an unknown one.
std::string explain(const CLI::App& app, const std::string& tool, const CLI::ParseError& error,
                    const std::vector<std::string>& arguments) {
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    for (const std::string& argument : arguments) {
      const std::string typed = argument.substr(0, argument.find('='));
      const bool is_known = std::find(names.begin(), names.end(), typed) != names.end();
      if (typed.starts_with("--") && !is_known) {
        return "unknown option " + typed + "; the nearest are " +
               join(nearest_words(typed, names, 3), ", ") + "; all are shown by " + tool +
               " --help";
      }
    }
  }
  return message + "; see " + tool + " --help";
}

}  // namespace

std::string with_guard(const std::string& argument) {
  const bool looks_like_list = argument.starts_with('[') && argument.ends_with(']');
  return looks_like_list ? argument + kGuard : argument;
}

std::string without_guard(std::string argument) {
  if (argument.ends_with(kGuard)) argument.pop_back();
  return argument;
}

OptionTable::OptionTable(const std::string& tool, const std::string& description,
                         const std::string& examples)
    : app_(description, tool), tool_(tool) {
  app_.footer("\nExamples:\n" + examples);
  app_.get_formatter()->column_width(kHelpWidth);
  app_.set_help_flag("-h,--help", "Show this text")->group("Help");
  app_.add_flag("--version", show_version_, "Show the versions of tool and libraries")
      ->group("Help")
      ->configurable(false);
  app_.add_flag("--print-config", print_config_, "Show the configuration that would be used")
      ->group("Help")
      ->configurable(false);
  app_.set_config("--config", "", "Options from a JSON file")->group("Help")->configurable(false);
  app_.config_formatter(std::make_shared<JsonConfig>());
  app_.allow_config_extras(false);
}

void OptionTable::add_parsed(const std::string& group, const std::string& names,
                             const std::string& shown,
                             const std::function<void(const std::string&)>& parse,
                             const std::string& help) {
  app_.add_option_function<std::string>(
          names, [parse](const std::string& text) { parse(without_guard(text)); }, help)
      ->group(group)
      ->default_str(shown);
}

CLI::Option* OptionTable::add_flag(const std::string& group, const std::string& names, bool& value,
                                   const std::string& help) {
  return app_.add_flag(names, value, help)->group(group);
}

void OptionTable::when_parsed(std::function<void()> action) {
  when_parsed_.push_back(std::move(action));
}

void OptionTable::parse(int argc, const char* const* argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  // Asked for help, a person gets it whatever else the line lacks.
  for (const std::string& argument : arguments) {
    if (argument == "-h" || argument == "--help") throw TextAnswer{app_.help()};
  }
  std::vector<std::string> guarded;
  for (const std::string& argument : arguments) guarded.push_back(with_guard(argument));
  std::reverse(guarded.begin(), guarded.end());  // as CLI11 wants a vector
  try {
    app_.parse(std::move(guarded));
  } catch (const CLI::FileError& error) {
    throw MissingInputError(std::string("--config: ") + error.what());
  } catch (const CLI::ParseError& error) {
    if (show_version_) throw TextAnswer{version_text() + "\n"};
    throw UsageError(explain(app_, tool_, error, arguments));
  }
  if (show_version_) throw TextAnswer{version_text() + "\n"};
  if (print_config_) throw TextAnswer{effective().dump(2) + "\n"};
  for (const std::function<void()>& action : when_parsed_) action();
}

Json OptionTable::effective() const { return JsonConfig::effective(&app_); }

std::optional<std::string> peek_option(const std::vector<std::string>& arguments,
                                       const std::string& name) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with(name + "=")) return arguments[i].substr(name.size() + 1);
    if (arguments[i] == name && i + 1 < arguments.size()) return arguments[i + 1];
  }
  return std::nullopt;
}

void add_common_options(OptionTable& table, CommonOptions& options) {
  // Not read into the default: what --help says must be the same on every machine.
  table.add("Model and device", "--model", options.model, "Model: the name or folder of a bundle")
      ->envname("SDX_MODEL");
  table.add("Model and device", "--device", options.device, kDeviceHelp);
  table.add("Model and device", "--dtype", options.dtype, kPrecisionHelp);
  table.add("Model and device", "--threads", options.threads, "CPU threads; 0: one for each core")
      ->check(CLI::NonNegativeNumber);
  add_message_options(table, options);
  table.add_flag("Messages", "-v,--verbose", options.verbose,
                 "Say what is chosen, loaded and measured, and how long it takes");
  table.when_parsed([&options] {
    if (options.verbose && !options.quiet) spdlog::set_level(spdlog::level::debug);
  });
}

void add_message_options(OptionTable& table, CommonOptions& options) {
  table.add_flag("Messages", "--json", options.json, "One JSON object a line on stdout");
  table.add_flag("Messages", "-q,--quiet", options.quiet, "Say nothing but errors");
  table.when_parsed([&options] {
    if (options.quiet) spdlog::set_level(spdlog::level::err);
  });
}

}  // namespace sdx
