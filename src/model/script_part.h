#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>

#include "model/weight_source.h"
#include "sdx/device/device.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// One TorchScript program of a bundle, ready to run: loaded from the very bytes whose hash was
/// checked, its parameters bound to the weights of `part` where the bundle has them in a file or
/// links to them (else the program carries its own), frozen, on the target's device and in its
/// dtype.
///
/// The autoencoder is the one that the bundle has borrowed, if it has.
///
/// TorchScript is loaded and called here only. Programs are composed in model/import, rewritten in
/// prepared.h; script_unet.h knows the methods of the UNet's.
/// @throws DataError naming the file and the tensor.
torch::jit::Module load_script_part(const Bundle& bundle, const std::string& program,
                                    const std::string& part, const ComputeTarget& target,
                                    ModelUse use);

/// The same with weights from elsewhere, never with a borrowed autoencoder.
/// @param weights null: the program carries its own.
/// @throws also what the source throws.
torch::jit::Module load_script_part(const Bundle& bundle, const std::string& program,
                                    const WeightSource* weights, const ComputeTarget& target,
                                    ModelUse use);

/// How images lie in memory for a part: with the channels last where prepared kernels want them so.
at::MemoryFormat image_layout(const ComputeTarget& target, ModelUse use);

/// Runs a method of a part, in any thread. The program runs as it is: libtorch's optimising
/// executor is off, which would compile it anew in its first calls and gain nothing on these graphs
/// (0.30 s instead of 0.07 s to the first result). That switch is one for each thread, so it is set
/// for each call.
/// @throws TryAgainError if memory runs out; InternalError with what the operator said.
at::Tensor run_method(const torch::jit::Module& module, const std::string& method,
                      std::vector<c10::IValue> arguments);

/// The same for a method that gives a tensor or a list of them.
std::vector<at::Tensor> run_any_method(const torch::jit::Module& module, const std::string& method,
                                       std::vector<c10::IValue> arguments);

/// Its parameters as tensors.
std::vector<at::Tensor> collect_parameters(const torch::jit::Module& module);

}  // namespace sdx
