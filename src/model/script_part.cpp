#include "model/script_part.h"

#include <ATen/Context.h>
#include <torch/csrc/jit/python/update_graph_executor_opt.h>
#include <torch/csrc/jit/serialization/import.h>

#include <optional>
#include <sstream>

#include "model/linked_weights.h"
#include "model/prepared.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// The weights of a part, where the bundle does not leave them to the program.
std::optional<TensorMap> find_weights(const Bundle& bundle, const std::string& part) {
  if (bundle.has_file(part + ".safetensors")) {
    return map_safetensors(bundle.checked_file(part + ".safetensors")).tensors;
  }
  if (bundle.has_file(part + ".link.json")) {
    return map_linked_weights(bundle.checked_file(part + ".link.json"));
  }
  return std::nullopt;
}

/// The kernels of packed_weight.h are there.
bool has_prepared_kernels(const c10::Device& device) { return device.is_cpu() && at::hasMKLDNN(); }

/// Binds every parameter to the tensor of its name, tensor by tensor, so that a conversion never
/// holds two whole models.
/// @param target nothing: the tensors as they are mapped.
void bind_weights(const torch::jit::Module& module, TensorMap weights, const std::string& source,
                  const std::optional<ComputeTarget>& target) {
  for (const auto& parameter : module.named_parameters()) {
    const auto found = weights.find(parameter.name);
    if (found == weights.end()) {
      throw DataError(source + ": tensor \"" + parameter.name +
                      "\" is missing; import the model again");
    }
    parameter.value.set_data(target ? found->second.to(target->device, target->dtype)
                                    : found->second);
    weights.erase(found);
  }
}

/// Runs a method and reads its result, both under one translation of c10's exceptions.
template <typename Read>
auto invoke(const torch::jit::Module& module, const std::string& method,
            std::vector<c10::IValue> arguments, Read read) {
  try {
    return read(module.get_method(method)(std::move(arguments)));
  } catch (const c10::Error& error) {
    throw InternalError("the model's \"" + method + "\": " + error.what_without_backtrace());
  }
}

}  // namespace

torch::jit::Module load_script_part(const Bundle& bundle, const std::string& program,
                                    const std::string& part, const ComputeTarget& target,
                                    ModelUse use) {
  // The profiling executor recompiles in the first calls and gains nothing on these graphs
  // (0.30 s instead of 0.07 s to the first result).
  torch::jit::setGraphExecutorOptimize(false);
  const std::string program_file = program + ".ts";
  std::istringstream archive(bundle.checked_bytes(program_file));
  torch::jit::Module module = [&] {
    try {
      return torch::jit::load(archive, c10::DeviceType::CPU);
    } catch (const c10::Error& error) {
      throw DataError((bundle.folder() / program_file).string() +
                      ": not a TorchScript program: " + error.what_without_backtrace());
    }
  }();
  const bool is_prepared = use == ModelUse::kInference && has_prepared_kernels(target.device);
  if (std::optional<TensorMap> weights = find_weights(bundle, part)) {
    bind_weights(module, std::move(*weights), (bundle.folder() / part).string(),
                 is_prepared ? std::nullopt : std::optional(target));
  } else if (!is_prepared) {
    module.to(target.device, target.dtype);
  }
  for (const at::Tensor& parameter : parameters_of(module)) parameter.set_requires_grad(false);
  module.eval();
  if (is_prepared) prepare_for_inference(module, target.dtype);
  return module;
}

at::MemoryFormat image_layout(const ComputeTarget& target, ModelUse use) {
  return use == ModelUse::kInference && has_prepared_kernels(target.device)
             ? at::MemoryFormat::ChannelsLast
             : at::MemoryFormat::Contiguous;
}

at::Tensor run_method(const torch::jit::Module& module, const std::string& method,
                      std::vector<c10::IValue> arguments) {
  return invoke(module, method, std::move(arguments),
                [](const c10::IValue& result) { return result.toTensor(); });
}

std::vector<at::Tensor> run_list_method(const torch::jit::Module& module, const std::string& method,
                                        std::vector<c10::IValue> arguments) {
  return invoke(module, method, std::move(arguments),
                [](const c10::IValue& result) { return result.toTensorVector(); });
}

std::vector<at::Tensor> parameters_of(const torch::jit::Module& module) {
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : module.parameters()) parameters.push_back(parameter);
  return parameters;
}

}  // namespace sdx
