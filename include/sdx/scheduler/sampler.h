#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace sdx {

/// How a step is taken. Papers and references stand with the algorithms in src/scheduler.
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
};

/// Which noise levels σ/α are visited; the last one is 0, but for kAuto and kDdim of the samplers
/// DDIM and PNDM, which end at the training schedule's first timestep.
enum class ScheduleKind {
  kAuto,         ///< what the reference of the sampler does by default, or what the model asks for
  kNormal,       ///< timesteps evenly from the noisiest to the cleanest
  kKarras,       ///< σ^(1/7) evenly; Karras et al. 2022
  kExponential,  ///< log σ evenly
  kSgmUniform,   ///< timesteps evenly from the noisiest, without the cleanest: few-step models
  kSimple,       ///< every T/N-th of the training's noise levels
  kDdim,         ///< multiples of ⌊T/N⌋ and the offset, as DDIM
  kBeta,         ///< quantiles of Beta(0.6, 0.6): dense at both ends; Lee et al. 2024
  kAys,          ///< "align your steps" for Stable Diffusion 1; Sabour et al. 2024
  kCustom,       ///< the levels in SamplerSettings::custom_sigmas
};

/// What there is to know of a sampler before it is chosen.
struct SamplerInfo {
  SamplerKind kind;
  std::string_view typed;      ///< on the command line: "dpmpp_2m"
  std::string_view displayed;  ///< in images, in the words of AUTOMATIC1111: "DPM++ 2M"
  std::string_view alias;      ///< another name that is read, or empty
  int order;                   ///< of the error: halving the steps' length divides it by 2^order
  int evaluations_per_step;    ///< of the model; those with two need but one in the last step
  bool draws_noise;            ///< fresh noise on the way: the picture changes with the steps
  std::string_view default_schedule;  ///< in words, what ScheduleKind::kAuto is
  std::string_view advice;            ///< one line
};

/// All samplers, most wanted first.
std::span<const SamplerInfo> all_samplers();
const SamplerInfo& sampler_info(SamplerKind kind);

/// As typed on the command line: "ddim", "dpmpp_2m".
std::string_view to_string(SamplerKind kind);
/// As written into images, in the words of AUTOMATIC1111: "DDIM", "DPM++ 2M".
std::string_view display_name(SamplerKind kind);
/// Reads both, whatever the case.
/// @throws UsageError that lists the samplers.
SamplerKind parse_sampler(std::string_view text);
/// Whether a NoiseSource is needed.
bool draws_noise(SamplerKind kind);
/// Evaluations of the model in each step but the last, which may need fewer.
int evaluations_per_step(SamplerKind kind);

/// As typed on the command line: "karras", "sgm_uniform".
std::string_view to_string(ScheduleKind kind);
/// As written into images, in the words of AUTOMATIC1111: "Karras", "SGM Uniform".
std::string_view display_name(ScheduleKind kind);
/// Reads both, whatever the case.
/// @throws UsageError that lists the schedules.
ScheduleKind parse_schedule(std::string_view text);

/// A sampler, and a schedule where the name had one.
struct SamplerChoice {
  SamplerKind sampler;
  std::optional<ScheduleKind> schedule;
};

/// Reads what parse_sampler() does and the joint names in older pictures: "DPM++ 2M Karras".
/// @throws UsageError that lists the samplers.
SamplerChoice parse_sampler_choice(std::string_view text);

}  // namespace sdx
