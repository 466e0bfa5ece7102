#include "sdx/cli/completion.h"

#include <algorithm>
#include <string_view>

#include "sdx/util/text.h"

namespace sdx {

namespace {

/// A text as a word of a shell.
std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// The name of a function for a tool: "_sdx_train".
std::string function_name(const CommandDescription& tool) {
  std::string name = "_" + tool.path;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string last_word(const std::string& path) { return path.substr(path.rfind(' ') + 1); }

/// A command, its parts, their parts.
void collect(const CommandDescription& command, std::vector<const CommandDescription*>& all) {
  all.push_back(&command);
  for (const CommandDescription& part : command.parts) collect(part, all);
}

std::vector<std::string> option_words(const SettingInfo& info) {
  std::vector<std::string> words;
  if (info.letter != 0) words.push_back(std::string("-") + info.letter);
  words.push_back("--" + info.key);
  return words;
}

bool takes_value(const SettingInfo& info) { return info.type != SettingType::kFlag; }

/// The kind of names that a script of a shell lists by itself; empty for files and plain texts.
std::string_view listed_kind(SettingValue value) {
  switch (value) {
    case SettingValue::kModel:
      return "models";
    case SettingValue::kEmbedding:
      return "embeddings";
    case SettingValue::kPack:
      return "packs";
    case SettingValue::kFile:
    case SettingValue::kFolder:
    case SettingValue::kAny:
      break;
  }
  return "";
}

// What all three scripts begin with: names as the programs would find them. A path of shell
// patterns serves, since no program needs to be started for it. The three shells differ in what an
// empty pattern is, and in how a list is walked.

constexpr const char* kBashLists = R"sh(
# What lies where the programs look. Argument: models, embeddings or packs.
_sdx_list() {
  local program data file
  program=$(command -v sdx-generate) && program=$(readlink -f "$program")
  data=${SDX_DATA:-${program%/bin/*}/share/sdx}
  case $1 in
    models)
      for file in ${SDX_MODELS:+"$SDX_MODELS"/*/bundle.json} \
        "${XDG_DATA_HOME:-$HOME/.local/share}"/sdx/models/*/bundle.json "$data"/models/*/bundle.json; do
        [[ -e $file ]] && file=${file%/bundle.json} && printf '%s\n' "${file##*/}"
      done
      ;;
    embeddings)
      for file in embeddings/*.safetensors embeddings/*.pt embeddings/*.bin; do
        [[ -e $file ]] && file=${file##*/} && printf '%s\n' "${file%.*}"
      done
      ;;
    packs)
      for file in "$data"/prompts/*.txt; do
        [[ -e $file ]] && file=${file##*/} && printf '%s\n' "${file%.txt}"
      done
      ;;
  esac
}
)sh";

constexpr const char* kZshLists = R"sh(
# What lies where the programs look. Argument: models, embeddings or packs.
_sdx_list() {
  local program=${commands[sdx-generate]:A} data
  local -a found
  data=${SDX_DATA:-${program%/bin/*}/share/sdx}
  case $1 in
    models)
      found=(${XDG_DATA_HOME:-~/.local/share}/sdx/models/*/bundle.json(N:h:t) $data/models/*/bundle.json(N:h:t))
      [[ -n $SDX_MODELS ]] && found+=($SDX_MODELS/*/bundle.json(N:h:t))
      ;;
    embeddings) found=(embeddings/*.(safetensors|pt|bin)(N:t:r)) ;;
    packs) found=($data/prompts/*.txt(N:t:r)) ;;
  esac
  compadd -M 'm:{a-z}={A-Z}' -- $found
}
)sh";

constexpr const char* kFishLists = R"sh(
# What lies where the programs look. Argument: models, embeddings or packs.
function __sdx_list
    set -l data $SDX_DATA
    if test -z "$data"
        set data (string replace -r '/bin/[^/]*$' /share/sdx (realpath (command -s sdx-generate)))
    end
    set -l home $XDG_DATA_HOME
    if test -z "$home"
        set home ~/.local/share
    end
    switch $argv[1]
        case models
            for file in $SDX_MODELS/*/bundle.json $home/sdx/models/*/bundle.json $data/models/*/bundle.json
                basename (dirname $file)
            end
        case embeddings
            for file in embeddings/*.safetensors embeddings/*.pt embeddings/*.bin
                string replace -r '\.[^.]*$' '' (basename $file)
            end
        case packs
            for file in $data/prompts/*.txt
                basename $file .txt
            end
    end
end
)sh";

// ------------------------------------------------------------------------------------------ bash

/// What fills COMPREPLY with the values of a setting.
std::string bash_values(const SettingInfo& info) {
  if (!info.choices.empty()) {
    return "COMPREPLY=($(compgen -W " + quote(join(info.choices, " ")) + " -- \"$cur\"))";
  }
  switch (info.value) {
    case SettingValue::kAny:
      return "COMPREPLY=()";
    case SettingValue::kFile:
      return "COMPREPLY=($(compgen -f -- \"$cur\")); compopt -o filenames";
    case SettingValue::kFolder:
      return "COMPREPLY=($(compgen -d -- \"$cur\")); compopt -o filenames";
    case SettingValue::kEmbedding:
      // The names before the last comma stay.
      return "list=${cur%\"${cur##*,}\"}; COMPREPLY=($(compgen -P \"$list\" -W \"$(_sdx_list "
             "embeddings)\" -- \"${cur##*,}\")); compopt -o nospace";
    case SettingValue::kModel:
    case SettingValue::kPack:
      break;
  }
  return "COMPREPLY=($(compgen -W \"$(_sdx_list " + std::string(listed_kind(info.value)) +
         ")\" -- \"$cur\") $(compgen -f -- \"$cur\"))";
}

/// What completes an argument without a name: a part, or the values of the positional settings.
std::string bash_arguments(const CommandDescription& command) {
  if (!command.parts.empty()) {
    std::vector<std::string> names;
    for (const CommandDescription& part : command.parts) names.push_back(last_word(part.path));
    return "COMPREPLY=($(compgen -W " + quote(join(names, " ")) + " -- \"$cur\"))";
  }
  for (const OptionDescription& option : command.options) {
    if (option.info.is_positional) return bash_values(option.info);
  }
  return "COMPREPLY=()";
}

std::string write_bash(const CommandDescription& tool) {
  std::vector<const CommandDescription*> commands;
  collect(tool, commands);
  std::string parts;
  std::string values;
  std::string words;
  std::string arguments;
  for (const CommandDescription* command : commands) {
    if (command != &tool) parts += (parts.empty() ? "" : " | ") + quote(command->path);
    std::vector<std::string> options;
    for (const OptionDescription& option : command->options) {
      if (option.info.is_positional) continue;
      std::string pattern;
      for (const std::string& word : option_words(option.info)) {
        options.push_back(word);
        pattern += (pattern.empty() ? "" : " | ") + quote(command->path + " " + word);
      }
      if (!takes_value(option.info)) continue;
      values += "    " + pattern + ") " + bash_values(option.info) + "; return ;;\n";
    }
    words += "      " + quote(command->path) + ") COMPREPLY=($(compgen -W " +
             quote(join(options, " ")) + " -- \"$cur\")) ;;\n";
    arguments += "    " + quote(command->path) + ") " + bash_arguments(*command) + " ;;\n";
  }
  const std::string function = function_name(tool);
  std::string text = "# Completion of " + tool.path +
                     " for bash, written by the build from the tables of settings.\n" + kBashLists +
                     "\n" + function + "() {\n" +
                     "  local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
                     "  local command=" +
                     tool.path +
                     " list word\n"
                     "  # bash cuts --option=value at the sign.\n"
                     "  if [[ $option == '=' ]]; then option=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
                     "  if [[ $cur == '=' ]]; then cur=; fi\n";
  if (!parts.empty()) {
    text +=
        "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"; do\n"
        "    case \"$command $word\" in\n      " +
        parts + ") command+=\" $word\" ;;\n    esac\n  done\n";
  }
  text += "  case \"$command $option\" in\n" + values + "  esac\n" +
          "  if [[ $cur == -* ]]; then\n    case $command in\n" + words +
          "    esac\n    return\n  fi\n" + "  case $command in\n" + arguments +
          "  esac\n}\ncomplete -F " + function + " " + tool.path + "\n";
  return text;
}

// ------------------------------------------------------------------------------------------- zsh

/// A help text inside of the brackets of _arguments.
std::string escape_zsh(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// The end of a specification of _arguments: what the values are.
std::string zsh_values(const SettingInfo& info) {
  if (!info.choices.empty()) return ":" + info.key + ":(" + join(info.choices, " ") + ")";
  switch (info.value) {
    case SettingValue::kAny:
      return ":" + info.key + ": ";
    case SettingValue::kFile:
      return ":file:_files";
    case SettingValue::kFolder:
      return ":folder:_files -/";
    case SettingValue::kEmbedding:
      return ":names:_sequence _sdx_list embeddings";
    case SettingValue::kModel:
    case SettingValue::kPack:
      break;
  }
  const std::string kind(listed_kind(info.value));
  return ":" + kind + ":{ _sdx_list " + kind + "; _files }";
}

std::string zsh_specifications(const CommandDescription& command) {
  std::string text;
  for (const OptionDescription& option : command.options) {
    const SettingInfo& info = option.info;
    if (info.is_positional) {
      const bool is_list = info.type == SettingType::kTexts;
      text += " \\\n      " + quote((is_list ? "*" : "") + zsh_values(info));
      continue;
    }
    for (const std::string& word : option_words(info)) {
      const bool is_list = info.type == SettingType::kTexts;
      std::string specification = (is_list ? "*" : "") + word;
      if (takes_value(info)) specification += word.starts_with("--") ? "=" : "+";
      specification += "[" + escape_zsh(info.help) + "]";
      if (takes_value(info)) specification += zsh_values(info);
      text += " \\\n      " + quote(specification);
    }
  }
  return text;
}

/// The function of a command, behind those of its parts.
std::string zsh_function(const CommandDescription& command) {
  std::string name = function_name(command);
  std::replace(name.begin(), name.end(), ' ', '_');
  std::string text;
  for (const CommandDescription& part : command.parts) text += zsh_function(part);
  text += "\n" + name + "() {\n";
  if (command.parts.empty()) {
    return text + "  _arguments -S" + zsh_specifications(command) + "\n}\n";
  }
  std::string names;
  std::string cases;
  for (const CommandDescription& part : command.parts) {
    const std::string word = last_word(part.path);
    names += "\n        " + quote(word + ":" + escape_zsh(part.description));
    cases += "\n        " + word + ") " + name + "_" + word + " ;;";
  }
  return text + "  local state line\n  _arguments -C" + zsh_specifications(command) +
         " \\\n      '1: :->part' '*:: :->arguments'\n  case $state in\n    part)\n"
         "      local -a parts=(" +
         names + ")\n      _describe command parts ;;\n    arguments)\n      case $line[1] in" +
         cases + "\n      esac ;;\n  esac\n}\n";
}

std::string write_zsh(const CommandDescription& tool) {
  const std::string name = function_name(tool);
  return "#compdef " + tool.path +
         "\n# Completion for zsh, written by the build from the tables of settings.\n" + kZshLists +
         zsh_function(tool) + "\n" + name + " \"$@\"\n";
}

// ------------------------------------------------------------------------------------------ fish

/// The condition under which lines of a command hold: its words were typed, none of its parts'.
std::string fish_condition(const CommandDescription& command) {
  std::string condition;
  std::string rest = command.path.substr(std::min(command.path.find(' '), command.path.size()));
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' ', 1), rest.size());
    if (!condition.empty()) condition += "; and ";
    condition += "__fish_seen_subcommand_from " + rest.substr(1, end - 1);
    rest.erase(0, end);
  }
  if (!command.parts.empty()) {
    if (!condition.empty()) condition += "; and ";
    condition += "not __fish_seen_subcommand_from";
    for (const CommandDescription& part : command.parts) condition += " " + last_word(part.path);
  }
  return condition.empty() ? "" : " -n " + quote(condition);
}

/// The values of a setting, as arguments of `complete`.
std::string fish_values(const SettingInfo& info) {
  if (!info.choices.empty()) return " -x -a " + quote(join(info.choices, " "));
  switch (info.value) {
    case SettingValue::kAny:
      return " -x";
    case SettingValue::kFile:
      return " -r -F";
    case SettingValue::kFolder:
      return " -x -a '(__fish_complete_directories)'";
    case SettingValue::kEmbedding:
      return " -x -a '(__fish_append , (__sdx_list embeddings))'";
    case SettingValue::kModel:
    case SettingValue::kPack:
      break;
  }
  return " -r -F -a '(__sdx_list " + std::string(listed_kind(info.value)) + ")'";
}

std::string write_fish(const CommandDescription& tool) {
  std::vector<const CommandDescription*> commands;
  collect(tool, commands);
  std::string text = "# Completion of " + tool.path +
                     " for fish, written by the build from the tables of settings.\n" + kFishLists +
                     "\ncomplete -c " + tool.path + " -f\n";
  for (const CommandDescription* command : commands) {
    const std::string begin = "complete -c " + tool.path + fish_condition(*command);
    for (const CommandDescription& part : command->parts) {
      text += begin + " -a " + last_word(part.path) + " -d " + quote(part.description) + "\n";
    }
    for (const OptionDescription& option : command->options) {
      const SettingInfo& info = option.info;
      if (info.is_positional) {
        if (info.value != SettingValue::kAny) text += begin + fish_values(info) + "\n";
        continue;
      }
      text += begin + (info.letter == 0 ? "" : std::string(" -s ") + info.letter) + " -l " +
              info.key + " -d " + quote(info.help) + (takes_value(info) ? fish_values(info) : "") +
              "\n";
    }
  }
  return text;
}

/// What is known of a shell.
struct ShellRow {
  Shell shell;
  std::string (*write)(const CommandDescription& tool);
  const char* folder;  ///< below share
  const char* before;  ///< the tool's name, in the file's
  const char* behind;
};

constexpr std::array kShells = {
    ShellRow{Shell::kBash, write_bash, "bash-completion/completions", "", ""},
    ShellRow{Shell::kZsh, write_zsh, "zsh/site-functions", "_", ""},
    ShellRow{Shell::kFish, write_fish, "fish/vendor_completions.d", "", ".fish"}};

const ShellRow& shell_row(Shell shell) {
  return *std::find_if(kShells.begin(), kShells.end(),
                       [&](const ShellRow& row) { return row.shell == shell; });
}

}  // namespace

std::string write_completion(const Command& tool, Shell shell) {
  return shell_row(shell).write(describe_command(tool));
}

std::string find_completion_path(const Command& tool, Shell shell) {
  const ShellRow& row = shell_row(shell);
  return std::string(row.folder) + "/" + row.before + tool.name + row.behind;
}

}  // namespace sdx
