#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <string>
#include <string_view>

#include "sdx/tensor/safetensors.h"

namespace sdx {

// What the readers of small networks share, which are no parts of a bundle: upscalers, and tiny
// autoencoders.

/// What a file holds in place of the network that was expected: "a LoRA". Empty if its tensors'
/// names do not tell.
/// @param expected the kind that it is not, as "an upscaler"
std::string find_other_kind(const TensorMap& tensors, std::string_view expected);

/// A weight in float32, in memory of its own.
/// @param fail is given what is wrong, and throws: no such tensor, no floating-point numbers, or
///             some that are not finite
at::Tensor copy_weight(const TensorMap& tensors, const std::string& name, c10::Device device,
                       const std::function<void(const std::string&)>& fail);

}  // namespace sdx
