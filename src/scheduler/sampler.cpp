#include "sdx/scheduler/sampler.h"

#include <algorithm>
#include <array>
#include <string>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::array<SamplerInfo, 16> kSamplers = {{
    {SamplerKind::kDpmpp2m, "dpmpp_2m", "DPM++ 2M", "", 2, 1, false, "linspace",
     "the best picture for its time in 20 to 30 steps; Karras sharpens it"},
    {SamplerKind::kEulerAncestral, "euler_a", "Euler a", "", 1, 1, true, "linspace",
     "soft and varied in 20 to 40 steps; other steps, another picture"},
    {SamplerKind::kDpmppSde, "dpmpp_sde", "DPM++ SDE", "", 2, 2, true, "linspace",
     "rich detail in 10 to 15 steps, each at the price of two"},
    {SamplerKind::kDpmpp2mSde, "dpmpp_2m_sde", "DPM++ 2M SDE", "", 2, 1, true, "linspace",
     "more detail than DPM++ 2M in 25 to 40 steps"},
    {SamplerKind::kEuler, "euler", "Euler", "", 1, 1, false, "linspace",
     "the plainest; also for few-step models, with sgm_uniform"},
    {SamplerKind::kDdim, "ddim", "DDIM", "", 1, 1, false, "leading",
     "the classic, 50 steps; can be walked backwards"},
    {SamplerKind::kUniPc, "unipc", "UniPC", "", 2, 1, false, "linspace",
     "good pictures in 10 to 15 steps"},
    {SamplerKind::kLcm, "lcm", "LCM", "", 1, 1, true, "of the distillation",
     "for latent consistency models: 4 to 8 steps, --cfg 1 to 2"},
    {SamplerKind::kPndm, "pndm", "PLMS", "PNDM", 4, 1, false, "leading",
     "Stable Diffusion's first, 50 steps; the first step asks the model twice"},
    {SamplerKind::kHeun, "heun", "Heun", "", 2, 2, false, "linspace",
     "exact, each step at the price of two"},
    {SamplerKind::kLms, "lms", "LMS", "", 4, 1, false, "linspace",
     "Euler that looks back; wants 40 steps"},
    {SamplerKind::kDpm2, "dpm2", "DPM2", "", 2, 2, false, "linspace",
     "exact like Heun, each step at the price of two"},
    {SamplerKind::kDpm2Ancestral, "dpm2_a", "DPM2 a", "", 1, 2, true, "linspace",
     "varied like Euler a, each step at the price of two"},
    {SamplerKind::kDpmpp2sAncestral, "dpmpp_2s_a", "DPM++ 2S a", "", 1, 2, true, "karras",
     "varied and detailed, each step at the price of two"},
    {SamplerKind::kDpmpp3mSde, "dpmpp_3m_sde", "DPM++ 3M SDE", "", 3, 1, true, "exponential",
     "fine detail from 30 steps on"},
    {SamplerKind::kDdpm, "ddpm", "DDPM", "", 1, 1, true, "leading",
     "the original, for comparison: hundreds of steps"},
}};

struct ScheduleName {
  ScheduleKind kind;
  std::string_view typed;
  std::string_view displayed;
  std::string_view alias;
};

constexpr std::array<ScheduleName, 10> kSchedules = {{
    {ScheduleKind::kAuto, "auto", "Automatic", ""},
    {ScheduleKind::kNormal, "normal", "Normal", "Uniform"},
    {ScheduleKind::kKarras, "karras", "Karras", ""},
    {ScheduleKind::kExponential, "exponential", "Exponential", ""},
    {ScheduleKind::kSgmUniform, "sgm_uniform", "SGM Uniform", ""},
    {ScheduleKind::kSimple, "simple", "Simple", ""},
    {ScheduleKind::kDdim, "ddim", "DDIM", ""},
    {ScheduleKind::kBeta, "beta", "Beta", ""},
    {ScheduleKind::kAys, "ays", "Align Your Steps", ""},
    {ScheduleKind::kCustom, "custom", "Custom", ""},
}};

template <typename Row>
bool is_named(const Row& row, const std::string& lower) {
  return lower == row.typed || lower == lower_case(row.displayed) ||
         (!row.alias.empty() && lower == lower_case(row.alias));
}

template <typename Row, std::size_t count>
const Row* find_named(const std::array<Row, count>& rows, std::string_view text) {
  const std::string lower = lower_case(text);
  for (const Row& row : rows) {
    if (is_named(row, lower)) return &row;
  }
  return nullptr;
}

template <typename Row, std::size_t count>
UsageError unknown(const char* option, const std::array<Row, count>& rows, std::string_view text) {
  std::string known;
  for (const Row& row : rows) known += (known.empty() ? "" : ", ") + std::string(row.typed);
  return UsageError(std::string(option) + ": expected one of " + known + "; found \"" +
                    std::string(text) + "\"");
}

const ScheduleName& name_of(ScheduleKind kind) {
  return *std::find_if(kSchedules.begin(), kSchedules.end(),
                       [kind](const ScheduleName& name) { return name.kind == kind; });
}

}  // namespace

std::span<const SamplerInfo> all_samplers() { return kSamplers; }

const SamplerInfo& sampler_info(SamplerKind kind) {
  return *std::find_if(kSamplers.begin(), kSamplers.end(),
                       [kind](const SamplerInfo& info) { return info.kind == kind; });
}

std::string_view to_string(SamplerKind kind) { return sampler_info(kind).typed; }

std::string_view display_name(SamplerKind kind) { return sampler_info(kind).displayed; }

SamplerKind parse_sampler(std::string_view text) {
  const SamplerInfo* found = find_named(kSamplers, text);
  if (found == nullptr) throw unknown("--sampler", kSamplers, text);
  return found->kind;
}

bool draws_noise(SamplerKind kind) { return sampler_info(kind).draws_noise; }

int evaluations_per_step(SamplerKind kind) { return sampler_info(kind).evaluations_per_step; }

std::string_view to_string(ScheduleKind kind) { return name_of(kind).typed; }

std::string_view display_name(ScheduleKind kind) { return name_of(kind).displayed; }

ScheduleKind parse_schedule(std::string_view text) {
  const ScheduleName* found = find_named(kSchedules, text);
  if (found == nullptr) throw unknown("--schedule", kSchedules, text);
  return found->kind;
}

SamplerChoice parse_sampler_choice(std::string_view text) {
  if (const SamplerInfo* whole = find_named(kSamplers, text)) return {whole->kind, std::nullopt};
  const std::string lower = lower_case(text);
  for (const ScheduleName& schedule : kSchedules) {
    const std::string ending = " " + lower_case(schedule.displayed);
    if (!lower.ends_with(ending)) continue;
    const SamplerInfo* front = find_named(kSamplers, lower.substr(0, lower.size() - ending.size()));
    if (front != nullptr) return {front->kind, schedule.kind};
  }
  throw unknown("--sampler", kSamplers, text);
}

}  // namespace sdx
