#pragma once

#include "sdx/model/bundle.h"
#include "support/synthetic.h"

namespace sdx::test {

/// Compares every part of an imported synthetic model with what diffusers and transformers computed
/// (float32, CPU): text encoders at every clip skip, the pooled vector, UNet at several batches and
/// sizes, VAE both ways. Each difference must be below 1e-4; it is shown with Catch2's -s.
void check_parity(const Bundle& bundle, const SyntheticModel& model, bool full_size);

}  // namespace sdx::test
