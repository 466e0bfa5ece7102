#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "sdx/util/enum_text.h"

namespace at {
class Tensor;
}

namespace sdx {

struct Walk;  ///< src/scheduler/walk.h

/// How a step is taken: see kSamplers.
enum class SamplerKind {
  kDpmpp2m,
  kEulerAncestral,
  kDpmppSde,
  kDpmpp2mSde,
  kEuler,
  kDdim,
  kUniPc,
  kLcm,
  kPndm,
  kHeun,
  kLms,
  kDpm2,
  kDpm2Ancestral,
  kDpmpp2sAncestral,
  kDpmpp3mSde,
  kDdpm,
  kTcd,
};

/// Which noise levels σ/α are visited; the last one is 0, but for kAuto, kDdim and kTrailing of the
/// samplers DDIM, PNDM and TCD, which end at the training schedule's first timestep.
enum class ScheduleKind {
  kAuto,         ///< what the reference of the sampler does by default, or what the model asks for
  kNormal,       ///< timesteps evenly from the noisiest to the cleanest
  kKarras,       ///< σ^(1/7) evenly; Karras et al. 2022
  kExponential,  ///< log σ evenly
  kSgmUniform,   ///< timesteps evenly from the noisiest, without the cleanest: few-step models
  kSimple,       ///< every T/N-th of the training's noise levels
  kDdim,         ///< multiples of ⌊T/N⌋ and the offset, as DDIM
  kBeta,         ///< quantiles of Beta(0.6, 0.6): dense at both ends; Lee et al. 2024
  kTrailing,     ///< every T/N-th whole timestep from the noisiest on: what few-step models learnt
  kAys,          ///< "align your steps" for Stable Diffusion 1; Sabour et al. 2024
  kCustom,       ///< the levels in SamplerSettings::custom_sigmas
};

/// An algorithm: from points[first_step] of the walk to its end. src/scheduler/sample_*.cpp holds
/// them, with their papers and references.
using SamplerFunction = at::Tensor(const Walk& walk, const at::Tensor& sample);

SamplerFunction sample_dpmpp_2m, sample_euler_ancestral, sample_dpmpp_sde, sample_dpmpp_2m_sde,
    sample_euler, sample_ddim, sample_unipc, sample_lcm, sample_pndm, sample_heun, sample_lms,
    sample_dpm2, sample_dpm2_ancestral, sample_dpmpp_2s_ancestral, sample_dpmpp_3m_sde, sample_ddpm,
    sample_tcd;

/// How pure noise enters the first point of a walk, as in diffusers and AUTOMATIC1111.
enum class StartingNoise {
  kAsDrawn,     ///< standard normal
  kTimesSigma,  ///< times the point's sigma, as k-diffusion's samplers do it
};

/// How the reference of a sampler makes its points with ScheduleKind::kAuto. diffusers' classes
/// differ in what N steps are a part of.
enum class SamplerSpacing {
  kDiscrete,   ///< whole timesteps, TimestepSpacing::kLeading by default
  kLinspace,   ///< TimestepSpacing::kLinspace by default, between whole timesteps
  kMultistep,  ///< the same in whole timesteps, one more than steps, of which the last is left out
  kConsistency,  ///< as in the distillation: a part of SamplerSettings::lcm_original_steps
  kKarras,       ///< Karras' levels by default
  kExponential,  ///< log σ evenly by default
};

/// All that the program knows of a sampler. Adding one is its value above, its function's name
/// above, its row below, and the algorithm: see docs/extending.md.
struct SamplerInfo {
  SamplerKind kind;
  std::string_view typed;       ///< as it is typed: "dpmpp_2m"
  std::string_view displayed;   ///< in images, in the words of AUTOMATIC1111: "DPM++ 2M"
  std::string_view alias = {};  ///< another name that is read, or empty
  SamplerFunction* run;
  StartingNoise start;
  SamplerSpacing spacing;
  bool rounds_karras = false;           ///< ScheduleKind::kKarras is asked at whole timesteps
  bool ends_at_first_timestep = false;  ///< kAuto, kDdim, kTrailing end there, not without noise
  bool takes_pure_noise = false;        ///< never divides by α, so a point may have α = 0
  int evaluations_per_step;  ///< of the model; those with two need but one in the last step
  bool draws_noise;          ///< fresh noise on the way: the picture changes with the steps
  std::string_view advice;   ///< one line
};

/// A row for each sampler, most wanted first.
inline constexpr std::array kSamplers = {
    SamplerInfo{.kind = SamplerKind::kDpmpp2m,
                .typed = "dpmpp_2m",
                .displayed = "DPM++ 2M",
                .run = sample_dpmpp_2m,
                .start = StartingNoise::kAsDrawn,
                .spacing = SamplerSpacing::kMultistep,
                .rounds_karras = true,
                .evaluations_per_step = 1,
                .draws_noise = false,
                .advice = "the best picture for its time in 20 to 30 steps; Karras sharpens it"},
    SamplerInfo{.kind = SamplerKind::kEulerAncestral,
                .typed = "euler_a",
                .displayed = "Euler a",
                .run = sample_euler_ancestral,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kLinspace,
                .evaluations_per_step = 1,
                .draws_noise = true,
                .advice = "soft and varied in 20 to 40 steps; other steps, another picture"},
    SamplerInfo{.kind = SamplerKind::kDpmppSde,
                .typed = "dpmpp_sde",
                .displayed = "DPM++ SDE",
                .run = sample_dpmpp_sde,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kLinspace,
                .evaluations_per_step = 2,
                .draws_noise = true,
                .advice = "rich detail in 10 to 15 steps, each at the price of two"},
    SamplerInfo{.kind = SamplerKind::kDpmpp2mSde,
                .typed = "dpmpp_2m_sde",
                .displayed = "DPM++ 2M SDE",
                .run = sample_dpmpp_2m_sde,
                .start = StartingNoise::kAsDrawn,
                .spacing = SamplerSpacing::kMultistep,
                .rounds_karras = true,
                .evaluations_per_step = 1,
                .draws_noise = true,
                .advice = "more detail than DPM++ 2M in 25 to 40 steps"},
    SamplerInfo{.kind = SamplerKind::kEuler,
                .typed = "euler",
                .displayed = "Euler",
                .run = sample_euler,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kLinspace,
                .evaluations_per_step = 1,
                .draws_noise = false,
                .advice = "the plainest; also for few-step models, with trailing"},
    SamplerInfo{.kind = SamplerKind::kDdim,
                .typed = "ddim",
                .displayed = "DDIM",
                .run = sample_ddim,
                .start = StartingNoise::kAsDrawn,
                .spacing = SamplerSpacing::kDiscrete,
                .ends_at_first_timestep = true,
                .takes_pure_noise = true,
                .evaluations_per_step = 1,
                .draws_noise = false,
                .advice = "the classic, 50 steps; can be walked backwards"},
    SamplerInfo{.kind = SamplerKind::kUniPc,
                .typed = "unipc",
                .displayed = "UniPC",
                .run = sample_unipc,
                .start = StartingNoise::kAsDrawn,
                .spacing = SamplerSpacing::kMultistep,
                .rounds_karras = true,
                .evaluations_per_step = 1,
                .draws_noise = false,
                .advice = "good pictures in 10 to 15 steps"},
    SamplerInfo{.kind = SamplerKind::kLcm,
                .typed = "lcm",
                .displayed = "LCM",
                .run = sample_lcm,
                .start = StartingNoise::kAsDrawn,
                .spacing = SamplerSpacing::kConsistency,
                .takes_pure_noise = true,
                .evaluations_per_step = 1,
                .draws_noise = true,
                .advice = "for latent consistency models: 4 to 8 steps, guidance scale 1 to 2"},
    SamplerInfo{
        .kind = SamplerKind::kTcd,
        .typed = "tcd",
        .displayed = "TCD",
        .run = sample_tcd,
        .start = StartingNoise::kAsDrawn,
        .spacing = SamplerSpacing::kConsistency,
        .ends_at_first_timestep = true,
        .takes_pure_noise = true,
        .evaluations_per_step = 1,
        .draws_noise = true,
        .advice = "for models distilled to trajectories, Hyper-SD's for any number of steps"},
    SamplerInfo{
        .kind = SamplerKind::kPndm,
        .typed = "pndm",
        .displayed = "PLMS",
        .alias = "PNDM",
        .run = sample_pndm,
        .start = StartingNoise::kAsDrawn,
        .spacing = SamplerSpacing::kDiscrete,
        .ends_at_first_timestep = true,
        .evaluations_per_step = 1,
        .draws_noise = false,
        .advice = "Stable Diffusion's first, 50 steps; the first step asks the model twice"},
    SamplerInfo{.kind = SamplerKind::kHeun,
                .typed = "heun",
                .displayed = "Heun",
                .run = sample_heun,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kLinspace,
                .evaluations_per_step = 2,
                .draws_noise = false,
                .advice = "exact, each step at the price of two"},
    SamplerInfo{.kind = SamplerKind::kLms,
                .typed = "lms",
                .displayed = "LMS",
                .run = sample_lms,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kLinspace,
                .evaluations_per_step = 1,
                .draws_noise = false,
                .advice = "Euler that looks back; wants 40 steps"},
    SamplerInfo{.kind = SamplerKind::kDpm2,
                .typed = "dpm2",
                .displayed = "DPM2",
                .run = sample_dpm2,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kLinspace,
                .rounds_karras = true,
                .evaluations_per_step = 2,
                .draws_noise = false,
                .advice = "exact like Heun, each step at the price of two"},
    SamplerInfo{.kind = SamplerKind::kDpm2Ancestral,
                .typed = "dpm2_a",
                .displayed = "DPM2 a",
                .run = sample_dpm2_ancestral,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kLinspace,
                .rounds_karras = true,
                .evaluations_per_step = 2,
                .draws_noise = true,
                .advice = "varied like Euler a, each step at the price of two"},
    SamplerInfo{.kind = SamplerKind::kDpmpp2sAncestral,
                .typed = "dpmpp_2s_a",
                .displayed = "DPM++ 2S a",
                .run = sample_dpmpp_2s_ancestral,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kKarras,
                .evaluations_per_step = 2,
                .draws_noise = true,
                .advice = "varied and detailed, each step at the price of two"},
    SamplerInfo{.kind = SamplerKind::kDpmpp3mSde,
                .typed = "dpmpp_3m_sde",
                .displayed = "DPM++ 3M SDE",
                .run = sample_dpmpp_3m_sde,
                .start = StartingNoise::kTimesSigma,
                .spacing = SamplerSpacing::kExponential,
                .evaluations_per_step = 1,
                .draws_noise = true,
                .advice = "fine detail from 30 steps on"},
    SamplerInfo{.kind = SamplerKind::kDdpm,
                .typed = "ddpm",
                .displayed = "DDPM",
                .run = sample_ddpm,
                .start = StartingNoise::kAsDrawn,
                .spacing = SamplerSpacing::kDiscrete,
                .takes_pure_noise = true,
                .evaluations_per_step = 1,
                .draws_noise = true,
                .advice = "the original, for comparison: hundreds of steps"}};

template <>
inline constexpr auto kEnumTexts<SamplerKind> = [] {
  std::array<EnumText<SamplerKind>, kSamplers.size()> texts{};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const SamplerInfo& info = kSamplers[i];
    texts[i] = {info.kind, info.typed, info.displayed, info.alias};
  }
  return texts;
}();

template <>
inline constexpr std::array kEnumTexts<ScheduleKind> = {
    EnumText{ScheduleKind::kAuto, "auto", "Automatic"},
    EnumText{ScheduleKind::kNormal, "normal", "Normal", "Uniform"},
    EnumText{ScheduleKind::kKarras, "karras", "Karras"},
    EnumText{ScheduleKind::kExponential, "exponential", "Exponential"},
    EnumText{ScheduleKind::kSgmUniform, "sgm_uniform", "SGM Uniform"},
    EnumText{ScheduleKind::kSimple, "simple", "Simple"},
    EnumText{ScheduleKind::kDdim, "ddim", "DDIM"},
    EnumText{ScheduleKind::kBeta, "beta", "Beta"},
    EnumText{ScheduleKind::kTrailing, "trailing", "Turbo"},  // Forge's name
    EnumText{ScheduleKind::kAys, "ays", "Align Your Steps"},
    EnumText{ScheduleKind::kCustom, "custom", "Custom"}};

/// All samplers, most wanted first.
inline std::span<const SamplerInfo> all_samplers() { return kSamplers; }
/// The row of a sampler.
const SamplerInfo& sampler_info(SamplerKind kind);

/// Whether a NoiseSource is needed.
bool draws_noise(SamplerKind kind);
/// Evaluations of the model in each step but the last, which may need fewer.
int evaluations_per_step(SamplerKind kind);

/// A sampler, and a schedule where the name had one.
struct SamplerChoice {
  SamplerKind sampler;
  std::optional<ScheduleKind> schedule;
};

/// Reads the names of samplers and the joint names in older pictures: "DPM++ 2M Karras".
/// @throws SettingError for `sampler` that lists the samplers.
SamplerChoice parse_sampler_choice(std::string_view text);

}  // namespace sdx
