#include "sdx/scheduler/sampler_names.h"

#include <algorithm>
#include <array>
#include <vector>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// Names that other programs have for one thing.
template <typename Kind>
struct Elsewhere {
  Kind kind;
  NameFit fit;
  std::string_view names;         ///< as they write them, "|" between two
  std::string_view meaning = {};  ///< of kVariant and kNearest
};
// Clang before version 17 cannot deduce it by itself.
template <typename Kind, typename... Texts>
Elsewhere(Kind, NameFit, Texts...) -> Elsewhere<Kind>;

using enum SamplerKind;
using enum NameFit;

constexpr std::array kSamplersElsewhere = {
    // The same under another name. A leading "k_", "sample_" and a trailing "_gpu" are left out.
    Elsewhere{kDpmpp2m, kSame,
              "dpm++2m|dpmpp_2|DPMSolverMultistepScheduler|dpm_solver|DPM++|DPM-Solver++|DPM-"
              "Solver++(2M)"},
    Elsewhere{kEulerAncestral, kSame, "euler_ancestral|EulerAncestralDiscreteScheduler|eular a"},
    Elsewhere{kDpmppSde, kSame, "DPMSolverSDEScheduler|DPM SDE"},
    Elsewhere{kDpmpp2mSde, kSame, "sde-dpmsolver++"},
    Elsewhere{kEuler, kSame, "EulerDiscreteScheduler"},
    Elsewhere{kDdim, kSame, "DDIMScheduler|ddim_v3"},
    Elsewhere{kUniPc, kSame, "uni_pc|uni_pc_bh2|UniPCMultistepScheduler"},
    Elsewhere{kLcm, kSame, "LCMScheduler"}, Elsewhere{kTcd, kSame, "TCDScheduler"},
    Elsewhere{kPndm, kSame, "PNDMScheduler"}, Elsewhere{kHeun, kSame, "HeunDiscreteScheduler"},
    Elsewhere{kLms, kSame, "LMSDiscreteScheduler|LMSD"},
    Elsewhere{kDpm2, kSame, "dpm_2|KDPM2DiscreteScheduler"},
    Elsewhere{kDpm2Ancestral, kSame, "dpm_2_ancestral|KDPM2AncestralDiscreteScheduler"},
    Elsewhere{kDpmpp2sAncestral, kSame, "dpmpp_2s_ancestral|dpm++2s_a"},
    Elsewhere{kDdpm, kSame, "DDPMScheduler"},

    // Variants, for which ours serves.
    Elsewhere{kDpmpp2m, kVariant, "dpm++2mv2|DPM++ 2M v2|DPM++ 2M alt",
              "changes the weights of DPM++ 2M in its last steps"},
    Elsewhere{kDdim, kVariant, "ddim_trailing", "is DDIM from the noisiest timestep"},
    Elsewhere{kUniPc, kVariant, "unipc_snr|unipc_tu|unipc_tq|unipc_snr_2|unipc_tu_2",
              "spaces UniPC's steps in its own way"},

    // What we lack.
    Elsewhere{kDpmpp2m, kNearest, "DPM fast", "is DPM-Solver in one walk"},
    Elsewhere{kDpmpp2m, kNearest, "DPM adaptive", "chooses its steps itself"},
    Elsewhere{kHeun, kNearest, "Restart", "goes back to more noise on its way"},
    Elsewhere{kDpmpp2m, kNearest, "DEIS|DEISMultistepScheduler", "integrates exponentially"},
    Elsewhere{kLms, kNearest, "IPNDM|ipndm_v|IPNDMScheduler", "is an improved PNDM"},
    Elsewhere{kHeun, kNearest, "Heun++ 2|Heun++|heunpp2", "is Heun with a third evaluation"},
    Elsewhere{kDpmpp2mSde, kNearest, "DPM++ 2M SDE Heun", "is DPM++ 2M SDE with Heun's correction"},
    Elsewhere{kDdim, kNearest, "DDIM CFG++", "guides in CFG++'s way"},
    Elsewhere{kEuler, kNearest, "Euler CFG++", "guides in CFG++'s way"},
    Elsewhere{kEulerAncestral, kNearest, "Euler a CFG++|euler_ancestral_cfg_pp",
              "guides in CFG++'s way"},
    Elsewhere{kDpmpp2m, kNearest, "DPM++ 2M CFG++", "guides in CFG++'s way"},
    Elsewhere{kDpmppSde, kNearest, "DPM++ SDE CFG++", "guides in CFG++'s way"},
    Elsewhere{kDpmpp2sAncestral, kNearest, "DPM++ 2S a CFG++|dpmpp_2s_ancestral_cfg_pp",
              "guides in CFG++'s way"},
    Elsewhere{kDpmpp2sAncestral, kNearest,
              "DPM++ 2S|DPMSolverSinglestepScheduler|dpm_solver_singlestep|DPM++ 1S",
              "takes single steps without fresh noise"},
    Elsewhere{kDpmpp3mSde, kNearest, "DPM++ 3M", "looks back three steps without noise"},
    Elsewhere{kDpmpp2m, kNearest, "dpm_solver_stability|DPM Solver", "is the first DPM-Solver"},
    Elsewhere{kDpmpp2m, kNearest,
              "res_multistep|res_multistep_cfg_pp|res_2s|res_2m|res_3s|exp_heun_2_x0|"
              "exp_heun_2_x0_sde",
              "integrates exponentially"},
    Elsewhere{kEulerAncestral, kNearest, "res_multistep_ancestral|res_multistep_ancestral_cfg_pp",
              "integrates exponentially, with fresh noise"},
    Elsewhere{kEuler, kNearest, "gradient_estimation|gradient_estimation_cfg_pp",
              "corrects Euler's direction"},
    Elsewhere{kDpmpp3mSde, kNearest,
              "er_sde|seeds_2|seeds_3|sa_solver|sa_solver_pece|"
              "SASolverScheduler|SA Solver",
              "is another solver with fresh noise"},
    Elsewhere{kEuler, kNearest,
              "Euler SMEA|Euler Dy|Euler SMEA Dy|Euler Max|"
              "Euler Negative|nai_smea|nai_smea_dyn",
              "changes the picture's size on its way"},
    Elsewhere{kEuler, kNearest,
              "FlowMatchEulerDiscreteScheduler|Euler FlowMatch|flow_match_euler|"
              "FlowMatchHeunDiscreteScheduler|EDMEulerScheduler|[Forge] Flux Realistic",
              "is for models of another kind"},
    Elsewhere{kDpmpp2m, kNearest,
              "EDMDPMSolverMultistepScheduler|CosineDPMSolverMultistepScheduler",
              "is for models of another kind"},
    Elsewhere{kHeun, kNearest, "ODE (Bosh3)|ODE (Fehlberg2)|ODE (Adaptive Heun)|ODE (Dopri5)|ODE",
              "solves with steps of its own choice"},
    Elsewhere{kEulerAncestral, kNearest, "Kohaku_LoNyu_Yog", "mixes several directions"}};

constexpr std::array kSchedulesElsewhere = {
    Elsewhere{ScheduleKind::kAuto, kSame, "default|native"},
    Elsewhere{ScheduleKind::kNormal, kSame, "discrete|linspace"},
    Elsewhere{ScheduleKind::kKarras, kSame, "k|ka"},
    Elsewhere{ScheduleKind::kExponential, kSame, "exp"},
    Elsewhere{ScheduleKind::kSgmUniform, kSame, "sgm"},
    Elsewhere{ScheduleKind::kDdim, kSame, "ddim_uniform|leading"},
    Elsewhere{ScheduleKind::kAys, kSame, "AlignYourSteps|ays_sd15|Align Your Steps SD15"},

    Elsewhere{ScheduleKind::kExponential, kNearest, "Polyexponential",
              "is exponential with a bend"},
    Elsewhere{ScheduleKind::kKarras, kNearest, "KL Optimal", "minimises a divergence"},
    Elsewhere{ScheduleKind::kTrailing, kNearest, "turbo_sgm",
              "is for models distilled to one step"},
    Elsewhere{ScheduleKind::kTrailing, kNearest, "substep|lcm|tcd",
              "is for models distilled to few steps"},
    Elsewhere{ScheduleKind::kAys, kNearest,
              "GITS|Align Your Steps GITS|ays_gits|Align Your Steps 11|Align Your Steps 32|"
              "ays_32|ays_sdxl|ays_11",
              "has the levels of another model or length"},
    Elsewhere{ScheduleKind::kNormal, kNearest, "smoothstep|sinusoidal sf|sinusoidal|phi|linear",
              "spaces the levels by another curve"},
    Elsewhere{ScheduleKind::kSimple, kNearest,
              "linear_quadratic|ltxv|ltxv-image|edm_playground_v2.5",
              "is for models of another kind"},
    Elsewhere{ScheduleKind::kBeta, kNearest,
              "bong_tangent|beta57|laplace|cosine|invcosinusoidal sf",
              "is dense in the middle or at both ends"}};

/// A name as it is compared: letters and digits alone, in lower case; "p" for "+".
std::string fold_name(std::string_view name) {
  std::string folded;
  for (const char c : lower_case(name)) {
    if (c == '+') {
      folded += 'p';
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      folded += c;
    }
  }
  return folded;
}

template <typename Kind>
struct FoldedName {
  std::string name;
  NameMatch<Kind> match;
};

template <typename Kind, std::size_t kRows>
std::vector<FoldedName<Kind>> fold_names(const std::array<Elsewhere<Kind>, kRows>& elsewhere) {
  std::vector<FoldedName<Kind>> names;
  for (const EnumText<Kind>& own : kEnumTexts<Kind>) {
    for (const std::string_view name : {own.text, own.display, own.alias}) {
      if (!name.empty()) names.push_back({fold_name(name), {own.value}});
    }
  }
  for (const Elsewhere<Kind>& row : elsewhere) {
    for (const std::string& name : split_list(row.names, '|')) {
      names.push_back({fold_name(name), {row.kind, row.fit, row.meaning}});
    }
  }
  return names;
}

const std::vector<FoldedName<SamplerKind>>& sampler_names() {
  static const auto kNames = fold_names(kSamplersElsewhere);
  return kNames;
}

const std::vector<FoldedName<ScheduleKind>>& schedule_names() {
  static const auto kNames = fold_names(kSchedulesElsewhere);
  return kNames;
}

template <typename Kind>
std::optional<NameMatch<Kind>> find_folded(const std::vector<FoldedName<Kind>>& names,
                                           std::string_view folded) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [folded](const auto& one) { return one.name == folded; });
  if (found == names.end()) return std::nullopt;
  return found->match;
}

/// A sampler without a schedule, with or without what some programs put around their names.
std::optional<NameMatch<SamplerKind>> find_bare_sampler(std::string_view folded) {
  if (const auto whole = find_folded(sampler_names(), folded)) return whole;
  if (folded.ends_with("gpu")) folded.remove_suffix(3);
  if (const auto found = find_folded(sampler_names(), folded)) return found;
  for (const std::string_view beginning : {"k", "sample"}) {
    if (!folded.starts_with(beginning)) continue;
    if (const auto found = find_folded(sampler_names(), folded.substr(beginning.size()))) {
      return found;
    }
  }
  return std::nullopt;
}

/// Of `names`, the nearest by letters.
template <typename Kind>
Kind find_nearest(const std::vector<FoldedName<Kind>>& names, std::string_view text) {
  const std::string folded = fold_name(text.substr(0, 100));
  const auto nearest =
      std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) {
        return edit_distance(a.name, folded) < edit_distance(b.name, folded);
      });
  return nearest->match.kind;
}

template <NamedEnum Kind>
[[noreturn]] void refuse_name(const std::string& field, std::string_view text, Kind nearest,
                              std::string_view meaning) {
  const std::string advice = "; the nearest is `" + field + "` " + std::string(to_string(nearest));
  if (!meaning.empty()) {
    throw UsageError("`" + field + "`: there is no " + in_quotes(text) + " here: it " +
                     std::string(meaning) + advice);
  }
  throw UsageError("`" + field + "`: expected " + list_choices(enum_texts<Kind>()) + ", found " +
                   in_quotes(text) + advice);
}

}  // namespace

std::optional<SamplerMatch> find_sampler_name(std::string_view text) {
  const std::string folded = fold_name(text);
  if (const auto whole = find_bare_sampler(folded)) return SamplerMatch{*whole, std::nullopt};
  for (const auto& [name, match] : schedule_names()) {
    if (folded.size() <= name.size() || !folded.ends_with(name)) continue;
    const std::string_view front(folded.data(), folded.size() - name.size());
    if (const auto sampler = find_bare_sampler(front)) return SamplerMatch{*sampler, match};
  }
  // diffusers' classes, without the word that ends all their names.
  const auto named = find_folded(sampler_names(), folded + "scheduler");
  if (named) return SamplerMatch{*named, std::nullopt};
  return std::nullopt;
}

std::optional<NameMatch<ScheduleKind>> find_schedule_name(std::string_view text) {
  return find_folded(schedule_names(), fold_name(text));
}

ScheduleKind parse_schedule(std::string_view text) {
  const auto match = find_schedule_name(text);
  if (!match) refuse_name("schedule", text, find_nearest(schedule_names(), text), {});
  if (match->fit == kNearest) refuse_name("schedule", text, match->kind, match->meaning);
  return match->kind;
}

SamplerChoice parse_sampler_choice(std::string_view text) {
  const auto match = find_sampler_name(text);
  if (!match) refuse_name("sampler", text, find_nearest(sampler_names(), text), {});
  const NameMatch<SamplerKind>& sampler = match->sampler;
  if (sampler.fit == kNearest) refuse_name("sampler", text, sampler.kind, sampler.meaning);
  if (!match->schedule) return {sampler.kind, std::nullopt};
  if (match->schedule->fit == kNearest) {
    throw UsageError("`sampler`: of " + in_quotes(text) + " the schedule is not made here: it " +
                     std::string(match->schedule->meaning) + "; the nearest is `sampler` " +
                     std::string(to_string(sampler.kind)) + " `schedule` " +
                     std::string(to_string(match->schedule->kind)));
  }
  return {sampler.kind, match->schedule->kind};
}

std::string describe_sampler_variant(std::string_view text) {
  const auto match = find_sampler_name(text);
  if (!match || match->sampler.fit != kVariant) return {};
  return in_quotes(text) + ": it " + std::string(match->sampler.meaning) + "; it is made as " +
         std::string(to_string(match->sampler.kind));
}

}  // namespace sdx
