#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace sdx {

/// A piece of a computation; the same inputs must give the same outputs.
using Segment = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& inputs)>;

/// `segment(inputs)`, differentiable in the inputs, with nothing kept for the gradient but the
/// inputs: backward runs the segment again (Chen et al. 2016, "Training Deep Nets with Sublinear
/// Memory Cost"). What the segment refers to besides its inputs gets no gradient.
std::vector<at::Tensor> run_checkpointed(Segment segment, const std::vector<at::Tensor>& inputs);

}  // namespace sdx
