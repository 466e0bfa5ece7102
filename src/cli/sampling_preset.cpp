#include "cli/sampling_preset.h"

namespace sdx {

void add_sampling_preset(CommandLine& line, ImageOptions& options) {
  line.before_values([&line, &options] {
    const auto preset = line.given(kSamplingPresetKey);
    if (!preset) return;
    apply_sampling_preset(parse_enum<SamplingPreset>(*preset, kSamplingPresetKey), options);
  });
}

}  // namespace sdx
