#include "cli/roster/team_command_line.h"

#include "cli/sampling_preset.h"
#include "sdx/util/error.h"

namespace sdx {

void add_team_options(CommandLine& line, TeamOptions& options, CommonOptions& common) {
  line.add(team_settings(), options);
  line.add(prompt_source_settings(), options.sources);
  line.add(image_settings(), options.image);
  line.add(encoding_settings(), options.encoding);
  add_sampling_preset(line, options.image);
  add_common_options(line, common);
}

void check_team_options(const TeamOptions& options) {
  if (options.roster.empty()) throw UsageError("expected a roster; see sdx-roster run --help");
}

std::vector<std::string> to_arguments(const TeamOptions& options, const CommonOptions& common) {
  TeamOptions asked = options;
  asked.image.preset = SamplingPreset::kNone;  // what it sets is among the rest
  ModelOptions asked_model = common;
  TeamOptions usual;
  ModelOptions usual_model;
  const Settings settings = bind_team_settings(asked, asked_model);
  const Settings defaults = bind_team_settings(usual, usual_model);
  std::vector<std::string> arguments;
  for (std::size_t i = 0; i < settings.all().size(); ++i) {
    const BoundSetting& setting = settings.all()[i];
    const SettingInfo& info = *setting.info;
    const Json value = setting.to_json();
    if (!info.is_option || info.key == "only") continue;
    // The cluster's nodes must not choose these by themselves.
    const bool is_always = info.key == "out" || info.key == "model";
    if (!is_always && value == defaults.all()[i].to_json()) continue;
    if (info.is_positional) {
      arguments.push_back(setting.to_text());
    } else if (info.type == SettingType::kFlag) {
      arguments.push_back("--" + info.key);
    } else {
      const Json list = value.is_array() ? value : Json::array({setting.to_text()});
      for (const Json& one : list) {
        arguments.push_back("--" + info.key + "=" + one.get<std::string>());
      }
    }
  }
  if (common.json) arguments.emplace_back("--json");
  if (common.quiet) arguments.emplace_back("--quiet");
  if (common.verbose) arguments.emplace_back("--verbose");
  return arguments;
}

}  // namespace sdx
