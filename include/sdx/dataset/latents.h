#pragma once

#include <ATen/core/Tensor.h>

#include "sdx/model/vae.h"

namespace sdx {

/// What training sees of a folder of portraits.
struct PortraitLatents {
  LatentDistribution distribution;  ///< [N,4,h,w]
  at::Tensor mask;                  ///< [N,1,h,w] in 0 … 1, or undefined: all counts
};

}  // namespace sdx
