#include "sdx/cli/manual.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/option_text.h"
#include "sdx/cli/tool.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

struct ExitCodeText {
  ExitCode code;
  const char* meaning;
};

constexpr std::array kExitCodes = {
    ExitCodeText{ExitCode::kOk, "Done."},
    ExitCodeText{ExitCode::kUsage, "An unknown option or name, or an impossible value."},
    ExitCodeText{ExitCode::kData, "A file that is not what it should be."},
    ExitCodeText{ExitCode::kMissingInput, "No such file, folder or model; too few portraits."},
    ExitCodeText{ExitCode::kUnavailable, "A device that this machine does not have."},
    ExitCodeText{ExitCode::kInternal, "A bug of sdx. Please report it."},
    ExitCodeText{ExitCode::kCannotCreate, "A file or folder that cannot be made."},
    ExitCodeText{ExitCode::kIo, "Reading or writing failed, for example on a full disk."},
    ExitCodeText{ExitCode::kTryAgain, "Out of memory, or another process is at work there."},
    ExitCodeText{ExitCode::kPermission, "Not allowed to read or write there."},
    ExitCodeText{ExitCode::kConfig, "A configuration or a rule of the user's forbids it."},
    ExitCodeText{ExitCode::kInterrupted, "Stopped by Ctrl-C."},
    ExitCodeText{ExitCode::kTerminated, "Stopped by SIGTERM."}};

struct VariableText {
  const char* name;
  const char* meaning;
};

constexpr std::array kVariables = {
    VariableText{"SDX_MODEL", "The default of --model."},
    VariableText{
        "SDX_MODELS",
        "A folder of models, searched first; it may belong to all users and be read-only."},
    VariableText{"XDG_DATA_HOME",
                 "Your own models are kept in sdx/models there; default ~/.local/share."},
    VariableText{
        "SDX_DATA",
        "The folder share/sdx with the models of all users, templates, presets and prompts."},
    VariableText{"SDX_FACE_DETECTOR", "The .onnx file of the face detector YuNet."},
    VariableText{"SDX_FACE_NETWORK", "The folder with dlib's face network."}};

/// A text as roff shows it: no character of it is a command.
std::string escape_roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";  // else a hyphen, which cannot be copied into a terminal
    } else if (c == '\'') {
      escaped += "\\(aq";
    } else if (c == '^') {
      escaped += "\\(ha";
    } else if (c == '~') {
      escaped += "\\(ti";
    } else if (c == '`') {
      escaped += "\\(ga";
    } else {
      escaped += c;
    }
  }
  // A point at the start of a line is a request.
  return escaped.starts_with('.') ? "\\&" + escaped : escaped;
}

std::string as_sentence(const std::string& text) {
  return text.empty() || std::string_view(".!?").find(text.back()) != std::string_view::npos
             ? text
             : text + ".";
}

/// What stands behind an option's help: the values that it takes, and its default.
std::string describe_values(const OptionDescription& option) {
  const SettingInfo& info = option.info;
  std::string text;
  if (!info.choices.empty()) {
    text += " Values: " + join(info.choices, ", ") + ".";
  } else if (info.type == SettingType::kWhole || info.type == SettingType::kNumber) {
    text += " Expects " + info.expected + ".";
  }
  if (!option.default_text.empty()) text += " Default: " + option.default_text + ".";
  if (info.is_required) text += " Required.";
  return text;
}

std::string write_option(const OptionDescription& option) {
  return ".TP\n\\fB" + escape_roff(spell_option(option.info)) + "\\fR\n" +
         escape_roff(as_sentence(option.info.help) + describe_values(option)) + "\n";
}

/// The options of a command, those of a group under its heading.
std::string write_options(const CommandDescription& command) {
  std::vector<std::string> groups;
  for (const OptionDescription& option : command.options) {
    if (!std::count(groups.begin(), groups.end(), option.info.group)) {
      groups.push_back(option.info.group);
    }
  }
  std::string text;
  for (const std::string& group : groups) {
    text += ".PP\n\\fI" + escape_roff(group) + "\\fR\n";
    for (const OptionDescription& option : command.options) {
      if (option.info.group == group) text += write_option(option);
    }
  }
  return text;
}

std::string write_synopsis(const CommandDescription& command) {
  if (!command.parts.empty()) {
    std::string text;
    for (const CommandDescription& part : command.parts) text += write_synopsis(part);
    return text;
  }
  std::string text = ".br\n\\fB" + escape_roff(command.path) + "\\fR [options]";
  for (const OptionDescription& option : command.options) {
    const SettingInfo& info = option.info;
    if (!info.is_positional) continue;
    const std::string name =
        "\\fI" + escape_roff(info.key) + "\\fR" + (info.type == SettingType::kTexts ? "..." : "");
    text += info.is_required ? " " + name : " [" + name + "]";
  }
  return text + "\n";
}

/// The sections of a command: one with its options, or one for each part.
std::string write_sections(const CommandDescription& command, bool is_tool) {
  if (command.parts.empty()) {
    const std::string title = is_tool ? ".SH OPTIONS\n" : ".SS " + escape_roff(command.path) + "\n";
    const std::string lead = is_tool ? "" : escape_roff(as_sentence(command.description)) + "\n";
    return title + lead + write_options(command);
  }
  std::string text = is_tool ? ".SH COMMANDS\n" : "";
  for (const CommandDescription& part : command.parts) text += write_sections(part, false);
  return text;
}

std::string write_examples(const CommandDescription& command) {
  std::string text;
  for (std::string line : split_list(command.examples, '\n')) {
    line.erase(0, line.find_first_not_of(' '));
    if (!line.empty()) text += ".PP\n.nf\n.RS\n" + escape_roff(line) + "\n.RE\n.fi\n";
  }
  return text;
}

template <typename Rows, typename Name>
std::string write_list(const Rows& rows, Name name) {
  std::string text;
  for (const auto& row : rows) {
    text += ".TP\n\\fB" + escape_roff(name(row)) + "\\fR\n" + escape_roff(row.meaning) + "\n";
  }
  return text;
}

}  // namespace

std::string write_manual_page(const Command& tool, const std::string& version) {
  const CommandDescription command = describe_command(tool);
  std::string upper = command.path;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  std::string page = ".\\\" Written by the build from the tables of settings.\n";
  page += ".TH " + escape_roff(upper) + " 1 \"\" \"sdx " + version + "\" \"User Commands\"\n";
  page +=
      ".SH NAME\n" + escape_roff(command.path) + " \\- " + escape_roff(command.description) + "\n";
  page += ".SH SYNOPSIS\n" + write_synopsis(command).substr(std::string(".br\n").size());
  page += ".SH DESCRIPTION\n" + escape_roff(as_sentence(command.description)) +
          "\nThe toolkit sdx teaches Stable Diffusion new words from portraits by textual "
          "inversion, and makes pictures with them, on this machine alone.\n";
  page += write_sections(command, /*is_tool=*/true);
  page += ".SH EXIT STATUS\n" + write_list(kExitCodes, [](const ExitCodeText& row) {
            return std::to_string(static_cast<int>(row.code));
          });
  page += ".SH ENVIRONMENT\n" +
          write_list(kVariables, [](const VariableText& row) { return std::string(row.name); });
  page += ".SH EXAMPLES\n" + write_examples(command);
  std::vector<std::string> others;
  for (const Command& other : tools()) {
    if (command.path != other.name) others.push_back("\\fB" + escape_roff(other.name) + "\\fR(1)");
  }
  page += ".SH SEE ALSO\n" + join(others, ",\n") + "\n";
  return page;
}

}  // namespace sdx
