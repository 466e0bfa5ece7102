#pragma once

#include <torch/csrc/jit/api/module.h>

namespace sdx {

/// Makes a loaded program as fast as the CPU's library of kernels (oneDNN) can run it, for good and
/// without gradient, by rewriting its methods:
/// - convolutions and linear layers keep their weights in the kernels' order (packed_weight.h): a
///   copy in memory, made when they are first used;
/// - images pass with the channels last, so that copies between the two layouts fall away;
/// - the gate of a transformer's feed-forward layer is applied while its product is written;
/// - in bfloat16, attention uses the processor's bfloat16 instructions (attention.h).
/// The result is that of the program as it was, but for rounding.
/// @param module on the CPU, its weights bound as they lie in their file.
/// @param dtype  in which it will compute.
void prepare_for_inference(torch::jit::Module& module, at::ScalarType dtype);

}  // namespace sdx
