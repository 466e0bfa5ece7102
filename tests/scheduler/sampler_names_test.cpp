#include "sdx/scheduler/sampler_names.h"

#include <string>
#include <utility>
#include <vector>

#include "sdx/util/error.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using enum sdx::SamplerKind;

namespace sdx {

TEST_CASE("sampler names: other programs' names for our samplers") {
  const std::vector<std::pair<const char*, SamplerKind>> names = {
      // ComfyUI, SwarmUI, Fooocus
      {"euler", kEuler},
      {"euler_ancestral", kEulerAncestral},
      {"heun", kHeun},
      {"dpm_2", kDpm2},
      {"dpm_2_ancestral", kDpm2Ancestral},
      {"lms", kLms},
      {"dpmpp_2s_ancestral", kDpmpp2sAncestral},
      {"dpmpp_sde_gpu", kDpmppSde},
      {"dpmpp_2m_sde_gpu", kDpmpp2mSde},
      {"dpmpp_3m_sde_gpu", kDpmpp3mSde},
      {"ddpm", kDdpm},
      {"uni_pc", kUniPc},
      {"uni_pc_bh2", kUniPc},
      // stable-diffusion.cpp
      {"euler_a", kEulerAncestral},
      {"dpm2", kDpm2},
      {"dpm++2m", kDpmpp2m},
      {"dpm++2s_a", kDpmpp2sAncestral},
      // NovelAI, Easy Diffusion, InvokeAI before 3, AI Horde
      {"k_euler_a", kEulerAncestral},
      {"k_euler_ancestral", kEulerAncestral},
      {"k_lms", kLms},
      {"k_dpm_2_a", kDpm2Ancestral},
      {"kdpm_2", kDpm2},
      {"k_dpmpp_2s_ancestral", kDpmpp2sAncestral},
      {"plms", kPndm},
      {"unipc", kUniPc},
      // AUTOMATIC1111, Forge
      {"Euler a", kEulerAncestral},
      {"DPM++ 2M", kDpmpp2m},
      {"DPM++ 2M SDE", kDpmpp2mSde},
      {"DPM++ 3M SDE", kDpmpp3mSde},
      {"DPM2 a", kDpm2Ancestral},
      {"LCM", kLcm},
      // diffusers
      {"DPMSolverMultistepScheduler", kDpmpp2m},
      {"DPMSolverSDEScheduler", kDpmppSde},
      {"DPMSolverMultistep", kDpmpp2m},
      {"DPM-Solver++", kDpmpp2m},
      {"sde-dpmsolver++", kDpmpp2mSde},
      {"EulerDiscreteScheduler", kEuler},
      {"EulerAncestralDiscreteScheduler", kEulerAncestral},
      {"KDPM2AncestralDiscreteScheduler", kDpm2Ancestral},
      {"LMSDiscreteScheduler", kLms},
      {"UniPCMultistepScheduler", kUniPc},
      {"PNDMScheduler", kPndm},
      {"DDIMScheduler", kDdim},
      {"LCMScheduler", kLcm},
      {"TCDScheduler", kTcd},
      {"HeunDiscreteScheduler", kHeun},
      {"DDPMScheduler", kDdpm}};
  for (const auto& [name, kind] : names) {
    INFO(name);
    const SamplerChoice choice = parse_sampler_choice(name);
    CHECK(choice.sampler == kind);
    CHECK_FALSE(choice.schedule);
    CHECK(describe_sampler_variant(name).empty());
  }
  for (const SamplerInfo& own : all_samplers()) {
    CHECK(parse_sampler_choice(own.typed).sampler == own.kind);
    CHECK(parse_sampler_choice(own.displayed).sampler == own.kind);
  }
}

TEST_CASE("sampler names: a name may end with a schedule") {
  struct Joint {
    const char* name;
    SamplerKind sampler;
    ScheduleKind schedule;
  };
  for (const Joint& joint :
       std::vector<Joint>{{"DPM++ 2M Karras", kDpmpp2m, ScheduleKind::kKarras},
                          {"DPM++ 2M SDE Exponential", kDpmpp2mSde, ScheduleKind::kExponential},
                          {"Euler a SGM Uniform", kEulerAncestral, ScheduleKind::kSgmUniform},
                          {"DPM++ SDE Align Your Steps", kDpmppSde, ScheduleKind::kAys},
                          {"dpmpp_2m_sde_gpu_karras", kDpmpp2mSde, ScheduleKind::kKarras},
                          {"euler_ancestral_ddim_uniform", kEulerAncestral, ScheduleKind::kDdim},
                          {"euler discrete", kEuler, ScheduleKind::kNormal},
                          {"euler_a karras", kEulerAncestral, ScheduleKind::kKarras},
                          {"heun ays", kHeun, ScheduleKind::kAys},
                          {"lms_k", kLms, ScheduleKind::kKarras},
                          {"dpmpp_2m_sde_k", kDpmpp2mSde, ScheduleKind::kKarras},
                          {"kdpm_2_a_k", kDpm2Ancestral, ScheduleKind::kKarras},
                          {"k_dpmpp_2m_ka", kDpmpp2m, ScheduleKind::kKarras},
                          {"Euler Beta", kEuler, ScheduleKind::kBeta},
                          {"ddim simple", kDdim, ScheduleKind::kSimple}}) {
    INFO(joint.name);
    const SamplerChoice choice = parse_sampler_choice(joint.name);
    CHECK(choice.sampler == joint.sampler);
    CHECK(choice.schedule == joint.schedule);
  }
}

TEST_CASE("sampler names: a variant of ours is made as ours, and described") {
  const SamplerChoice choice = parse_sampler_choice("dpm++2mv2 karras");
  CHECK(choice.sampler == kDpmpp2m);
  CHECK(choice.schedule == ScheduleKind::kKarras);
  CHECK_THAT(describe_sampler_variant("dpm++2mv2 karras"),
             ContainsSubstring("\"dpm++2mv2 karras\": it changes") &&
                 ContainsSubstring("; it is made as dpmpp_2m"));
  CHECK(parse_sampler_choice("ddim_trailing").sampler == kDdim);
  CHECK_FALSE(describe_sampler_variant("ddim_trailing").empty());
}

TEST_CASE("sampler names: what we lack is named, with what to give in its place") {
  const std::vector<std::pair<const char*, const char*>> lacking = {
      {"DPM fast", "dpmpp_2m"},
      {"dpm_fast", "dpmpp_2m"},
      {"DPM adaptive", "dpmpp_2m"},
      {"k_dpm_adaptive", "dpmpp_2m"},
      {"Restart", "heun"},
      {"DEIS", "dpmpp_2m"},
      {"DEISMultistepScheduler", "dpmpp_2m"},
      {"deis_k", "dpmpp_2m"},
      {"IPNDM", "lms"},
      {"ipndm_v", "lms"},
      {"Heun++ 2", "heun"},
      {"heunpp2", "heun"},
      {"DPM++ 2M SDE Heun", "dpmpp_2m_sde"},
      {"DPM++ 2M SDE Heun Karras", "dpmpp_2m_sde"},
      {"dpmpp_2m_sde_heun_gpu", "dpmpp_2m_sde"},
      {"DDIM CFG++", "ddim"},
      {"euler_cfg_pp", "euler"},
      {"Euler a CFG++", "euler_a"},
      {"dpmpp_2s_ancestral_cfg_pp", "dpmpp_2s_a"},
      {"res_multistep", "dpmpp_2m"},
      {"sa_solver", "dpmpp_3m_sde"},
      {"DPMSolverSinglestepScheduler", "dpmpp_2s_a"},
      {"FlowMatchEulerDiscreteScheduler", "euler"}};
  for (const auto& [name, nearest] : lacking) {
    INFO(name);
    CHECK_THROWS_WITH(
        parse_sampler_choice(name),
        ContainsSubstring("`sampler`: there is no \"" + std::string(name) + "\" here: it ") &&
            Catch::Matchers::EndsWith("; the nearest is `sampler` " + std::string(nearest)));
  }
  CHECK_THROWS_WITH(
      parse_sampler_choice("DPM++ 2M Polyexponential"),
      Catch::Matchers::EndsWith("; the nearest is `sampler` dpmpp_2m `schedule` exponential"));
  // In no list: the choices, and the nearest by letters.
  CHECK_THROWS_WITH(parse_sampler_choice("dpmp_2m"),
                    ContainsSubstring("expected dpmpp_2m, euler_a, ") &&
                        ContainsSubstring("found \"dpmp_2m\"; the nearest is `sampler` dpmpp_2m"));
  for (const char* none : {"", " ", "k", "gpu", "\x1B[2J", "漢字"}) {
    CHECK_THROWS_AS(parse_sampler_choice(none), UsageError);
  }
  CHECK_THROWS_WITH(parse_sampler_choice("\x1B[2J"), ContainsSubstring("found \"?[2J\""));
}

TEST_CASE("sampler names: schedules") {
  const std::vector<std::pair<const char*, ScheduleKind>> names = {
      {"Automatic", ScheduleKind::kAuto},         {"native", ScheduleKind::kAuto},
      {"discrete", ScheduleKind::kNormal},        {"Uniform", ScheduleKind::kNormal},
      {"Karras", ScheduleKind::kKarras},          {"SGM Uniform", ScheduleKind::kSgmUniform},
      {"sgm_uniform", ScheduleKind::kSgmUniform}, {"ddim_uniform", ScheduleKind::kDdim},
      {"Turbo", ScheduleKind::kTrailing},  // Forge
      {"trailing", ScheduleKind::kTrailing},      {"Align Your Steps", ScheduleKind::kAys},
      {"align_your_steps", ScheduleKind::kAys},   {"exponential", ScheduleKind::kExponential},
      {"simple", ScheduleKind::kSimple},          {"Beta", ScheduleKind::kBeta}};
  for (const auto& [name, kind] : names) {
    INFO(name);
    CHECK(parse_schedule(name) == kind);
  }
  for (const auto& [name, nearest] :
       std::vector<std::pair<const char*, const char*>>{{"Polyexponential", "exponential"},
                                                        {"KL Optimal", "karras"},
                                                        {"kl_optimal", "karras"},
                                                        {"turbo_sgm", "trailing"},
                                                        {"gits", "ays"},
                                                        {"Align Your Steps 32", "ays"},
                                                        {"linear_quadratic", "simple"},
                                                        {"bong_tangent", "beta"}}) {
    INFO(name);
    CHECK_THROWS_WITH(
        parse_schedule(name),
        Catch::Matchers::EndsWith("; the nearest is `schedule` " + std::string(nearest)));
  }
  CHECK_THROWS_WITH(parse_schedule("karas"),
                    ContainsSubstring("expected auto, normal, karras") &&
                        ContainsSubstring("; the nearest is `schedule` karras"));
}

}  // namespace sdx
