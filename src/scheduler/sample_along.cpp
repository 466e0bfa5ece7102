#include "sdx/scheduler/sample_along.h"

#include "scheduler/ancestral.h"
#include "scheduler/first_order.h"
#include "scheduler/multistep.h"
#include "scheduler/sde.h"
#include "scheduler/two_stage.h"
#include "scheduler/walk.h"
#include "sdx/util/error.h"

namespace sdx {

at::Tensor starting_sample(SamplerKind sampler, const at::Tensor& noise,
                           const SamplingPoint& first) {
  switch (sampler) {
    case SamplerKind::kDpmpp2m:
    case SamplerKind::kDpmpp2mSde:
    case SamplerKind::kUniPc:
    case SamplerKind::kDdim:
    case SamplerKind::kDdpm:
    case SamplerKind::kPndm:
    case SamplerKind::kLcm:
      return noise;
    default:
      return noise * first.sigma;
  }
}

at::Tensor sample_along(const NoiseSchedule& schedule, const SamplerSettings& settings,
                        const std::vector<SamplingPoint>& points, int first_step, at::Tensor sample,
                        const Denoiser& denoise, const NoiseSource& noise,
                        const SampleObserver& observe) {
  if (first_step < 0 || first_step + 1 >= static_cast<int>(points.size())) {
    throw InternalError("sample_along: expected a first step of 0 to " +
                        std::to_string(static_cast<int>(points.size()) - 2) + ", found " +
                        std::to_string(first_step));
  }
  const Walk walk{schedule, settings, points, first_step, denoise, noise, observe};
  switch (settings.sampler) {
    case SamplerKind::kDpmpp2m:
      return sample_dpmpp_2m(walk, sample);
    case SamplerKind::kEulerAncestral:
      return sample_euler_ancestral(walk, sample);
    case SamplerKind::kDpmppSde:
      return sample_dpmpp_sde(walk, sample);
    case SamplerKind::kDpmpp2mSde:
      return sample_dpmpp_2m_sde(walk, sample);
    case SamplerKind::kEuler:
      return sample_euler(walk, sample);
    case SamplerKind::kDdim:
      return sample_ddim(walk, sample);
    case SamplerKind::kUniPc:
      return sample_unipc(walk, sample);
    case SamplerKind::kLcm:
      return sample_lcm(walk, sample);
    case SamplerKind::kPndm:
      return sample_pndm(walk, sample);
    case SamplerKind::kHeun:
      return sample_heun(walk, sample);
    case SamplerKind::kLms:
      return sample_lms(walk, sample);
    case SamplerKind::kDpm2:
      return sample_dpm2(walk, sample);
    case SamplerKind::kDpm2Ancestral:
      return sample_dpm2_ancestral(walk, sample);
    case SamplerKind::kDpmpp2sAncestral:
      return sample_dpmpp_2s_ancestral(walk, sample);
    case SamplerKind::kDpmpp3mSde:
      return sample_dpmpp_3m_sde(walk, sample);
    case SamplerKind::kDdpm:
      return sample_ddpm(walk, sample);
  }
  throw InternalError("sample_along: a sampler without an algorithm");
}

}  // namespace sdx
