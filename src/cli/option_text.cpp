#include "cli/option_text.h"

namespace sdx {

namespace {

SettingInfo make_question(const char* key, const char* help, char letter = 0) {
  SettingInfo info;
  info.key = key;
  info.group = "Help";
  info.help = help;
  info.type = SettingType::kFlag;
  info.letter = letter;
  info.is_common = true;
  return info;
}

}  // namespace

const SettingInfo kAskHelp = make_question("help", "Show the options that matter most", 'h');
const SettingInfo kAskHelpAll = make_question("help-all", "Show all options");
const SettingInfo kAskVersion = make_question("version", "Show the versions of tool and libraries");
const SettingInfo kAskConfig = [] {
  SettingInfo info = make_question("print-config", "Show the configuration that would be used");
  info.is_common = false;
  return info;
}();
const SettingInfo kTakeConfig = [] {
  SettingInfo info = make_question("config", "Take options from this JSON file");
  info.type = SettingType::kText;
  info.value = SettingValue::kFile;
  info.is_common = false;
  return info;
}();

const char* value_name(const SettingInfo& info) {
  switch (info.value) {
    case SettingValue::kFile:
      return "FILE";
    case SettingValue::kFolder:
      return "FOLDER";
    case SettingValue::kModel:
      return "MODEL";
    case SettingValue::kEmbedding:
      return "NAMES";
    case SettingValue::kPack:
      return "PACK";
    case SettingValue::kAny:
      break;
  }
  switch (info.type) {
    case SettingType::kWhole:
      return "INT";
    case SettingType::kNumber:
      return "NUMBER";
    case SettingType::kFlag:
    case SettingType::kText:
    case SettingType::kTexts:
    case SettingType::kSpelled:
      break;
  }
  return "TEXT";
}

std::string names_of_option(const SettingInfo& info) {
  if (info.is_positional) return info.key;
  const std::string name = "--" + info.key;
  return info.letter == 0 ? name : std::string("-") + info.letter + "," + name;
}

std::string spell_option(const SettingInfo& info) {
  if (info.is_positional) return info.key;
  std::string text = info.letter == 0 ? "" : std::string("-") + info.letter + ", ";
  text += "--" + info.key;
  return info.type == SettingType::kFlag ? text : text + " " + value_name(info);
}

std::vector<SettingInfo> list_questions(bool has_settings) {
  std::vector<SettingInfo> all = {kAskHelp, kAskHelpAll, kAskVersion};
  if (has_settings) all.insert(all.end(), {kAskConfig, kTakeConfig});
  return all;
}

}  // namespace sdx
