#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sdx/scheduler/sampler.h"

namespace sdx {

// Samplers and schedules are called differently by AUTOMATIC1111, Forge, SD.Next, ComfyUI, SwarmUI,
// InvokeAI, Fooocus, NovelAI, Easy Diffusion, stable-diffusion.cpp and diffusers. One table holds
// all these names; the case of letters, blanks, "_", "-" and "+" for "p" make no difference.

/// How well a sampler or schedule of ours serves for a name.
enum class NameFit {
  kSame,     ///< it is what the name means
  kVariant,  ///< the name means a variant of it; pictures differ little
  kNearest,  ///< the name means something that we lack; this is the nearest
};

/// The meaning of a sampler's or schedule's name.
template <typename Kind>
struct NameMatch {
  Kind kind;
  NameFit fit = NameFit::kSame;
  std::string_view meaning = {};  ///< what the name means, behind "it": "chooses its own steps"
};

/// A sampler's name, and a schedule's where the name ends with one: "DPM++ 2M SDE Karras",
/// "dpmpp_2m_sde_gpu_karras", "euler discrete", "lms_k".
struct SamplerMatch {
  NameMatch<SamplerKind> sampler;
  std::optional<NameMatch<ScheduleKind>> schedule;
};

/// The sampler that a name means, ours or another program's; nothing for one that is in no list.
std::optional<SamplerMatch> find_sampler_name(std::string_view text);

/// The schedule that a name means; nothing for one that is in no list.
std::optional<NameMatch<ScheduleKind>> find_schedule_name(std::string_view text);

/// Reads a schedule's name.
/// @throws UsageError for the setting `schedule`, with what to give in its place.
ScheduleKind parse_schedule(std::string_view text);

/// A remark on a name that means a variant of ours: `"dpm++2mv2": it weighs …; it is made as
/// dpmpp_2m`. Empty for all others.
std::string describe_sampler_variant(std::string_view text);

}  // namespace sdx
