#include "sdx/scheduler/sampler.h"

#include <algorithm>

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

}  // namespace sdx
