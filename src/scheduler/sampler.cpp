#include "sdx/scheduler/sampler.h"

#include <algorithm>
#include <string>

#include "sdx/util/error.h"

namespace sdx {

const SamplerInfo& sampler_info(SamplerKind kind) {
  const auto found = std::find_if(kSamplers.begin(), kSamplers.end(),
                                  [kind](const SamplerInfo& info) { return info.kind == kind; });
  if (found == kSamplers.end()) throw InternalError("a sampler without a row in kSamplers");
  return *found;
}

bool draws_noise(SamplerKind kind) { return sampler_info(kind).draws_noise; }

int evaluations_per_step(SamplerKind kind) { return sampler_info(kind).evaluations_per_step; }

SamplerChoice parse_sampler_choice(std::string_view text) {
  if (const auto whole = find_enum<SamplerKind>(text)) return {*whole, std::nullopt};
  for (const auto& schedule : kEnumTexts<ScheduleKind>) {
    const std::string ending = " " + std::string(schedule.display);
    if (text.size() < ending.size()) continue;
    const std::size_t front = text.size() - ending.size();
    if (!is_same_text(text.substr(front), ending)) continue;
    if (const auto sampler = find_enum<SamplerKind>(text.substr(0, front))) {
      return {*sampler, schedule.value};
    }
  }
  throw SettingError("sampler", list_choices(enum_texts<SamplerKind>()), text);
}

}  // namespace sdx
