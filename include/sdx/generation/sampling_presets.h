#pragma once

#include <array>
#include <string_view>

#include "sdx/scheduler/sampler.h"
#include "sdx/util/enum_text.h"

namespace sdx {

struct ImageOptions;  // sdx/generation/image_options.h

/// Families of models (and of LoRAs) that were distilled to few steps. Each wants a sampling of its
/// own; sampled as the model that they come from they draw mud.
enum class SamplingPreset {
  kNone,       ///< nothing is set
  kLcm,        ///< latent consistency models, LCM-LoRA
  kTurbo,      ///< SD-Turbo, SDXL-Turbo
  kLightning,  ///< SDXL-Lightning
  kHyper,      ///< Hyper-SD
  kTcd,        ///< trajectory consistency distillation, Hyper-SD's files for any number of steps
};

/// What a family wants.
struct SamplingPresetInfo {
  SamplingPreset preset;
  std::string_view typed;  ///< as it is typed: "lcm"
  SamplerKind sampler;
  ScheduleKind schedule;
  int steps;              ///< 1 or more; files made for another number say it in their names
  double guidance_scale;  ///< 1: none, which diffusers calls 0 with some of them
};

/// A row for each family. Sources: the model cards of latent-consistency/lcm-lora-sdv1-5 and of
/// lcm-lora-sdxl (LCMScheduler, 4 steps, no guidance or up to 2), stabilityai/sdxl-turbo (Euler
/// ancestral, trailing, 1 to 4 steps, none), ByteDance/SDXL-Lightning (Euler, trailing, 2, 4 or 8
/// steps by the file, none), ByteDance/Hyper-SD (DDIM, trailing, 2, 4 or 8
/// steps by the file, none; TCDScheduler for the file of one to eight), h1t/TCD-SDXL-LoRA
/// (TCDScheduler, 4 steps, none). One step of DDIM with trailing timesteps is one of TCD.
/// LCM and TCD with ScheduleKind::kAuto choose among 50 steps of the distillation, as there.
inline constexpr std::array kSamplingPresets = {
    SamplingPresetInfo{SamplingPreset::kLcm, "lcm", SamplerKind::kLcm, ScheduleKind::kAuto, 4, 1},
    SamplingPresetInfo{SamplingPreset::kTurbo, "turbo", SamplerKind::kEulerAncestral,
                       ScheduleKind::kTrailing, 4, 1},
    SamplingPresetInfo{SamplingPreset::kLightning, "lightning", SamplerKind::kEuler,
                       ScheduleKind::kTrailing, 4, 1},
    SamplingPresetInfo{SamplingPreset::kHyper, "hyper", SamplerKind::kDdim, ScheduleKind::kTrailing,
                       8, 1},
    SamplingPresetInfo{SamplingPreset::kTcd, "tcd", SamplerKind::kTcd, ScheduleKind::kAuto, 4, 1}};

template <>
inline constexpr auto kEnumTexts<SamplingPreset> = [] {
  std::array<EnumText<SamplingPreset>, kSamplingPresets.size() + 1> texts{};
  texts[0] = {SamplingPreset::kNone, "none"};
  for (std::size_t i = 0; i < kSamplingPresets.size(); ++i) {
    texts[i + 1] = {kSamplingPresets[i].preset, kSamplingPresets[i].typed};
  }
  return texts;
}();

/// The key of the setting in image_settings().
inline constexpr const char* kSamplingPresetKey = "preset-sampling";

/// Sets sampler, schedule, steps and guidance scale, and takes noise levels of one's own back.
/// kNone changes nothing.
void apply_sampling_preset(SamplingPreset preset, ImageOptions& options);

}  // namespace sdx
