#include "model/script_part.h"

#include <ATen/Context.h>
#include <torch/csrc/jit/python/update_graph_executor_opt.h>
#include <torch/csrc/jit/serialization/import.h>

#include <spdlog/spdlog.h>

#include <optional>
#include <sstream>

#include "model/linked_weights.h"
#include "model/packed_weight.h"
#include "model/prepared.h"
#include "sdx/util/error.h"
#include "sdx/util/failure.h"
#include "sdx/util/stopwatch.h"

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
bool has_prepared_kernels(const c10::Device& device) {
  return device.is_cpu() && has_packed_kernels();
}

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

/// What an operator said, without the places in the program and in libtorch around it.
std::string cause_in(const std::string& text) {
  constexpr std::string_view kBefore = "RuntimeError: ";
  const std::size_t said = text.rfind(kBefore);
  const std::size_t begin = said == text.npos ? 0 : said + kBefore.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

/// Runs a method and reads its result, both under one translation of c10's exceptions.
template <typename Read>
auto invoke(const torch::jit::Module& module, const std::string& method,
            std::vector<c10::IValue> arguments, Read read) {
  try {
    return read(module.get_method(method)(std::move(arguments)));
  } catch (const std::exception& error) {
    if (const auto text = out_of_memory(error)) throw TryAgainError(*text);
    throw InternalError("the model's \"" + method + "\": " + cause_in(error.what()));
  }
}

}  // namespace

torch::jit::Module load_script_part(const Bundle& bundle, const std::string& program,
                                    const std::string& part, const ComputeTarget& target,
                                    ModelUse use) {
  const Stopwatch stopwatch;
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
  const at::MemoryFormat layout = image_layout(target, use);
  for (const at::Tensor& parameter : parameters_of(module)) {
    parameter.set_requires_grad(false);
    if (!is_prepared && parameter.dim() == 4) parameter.set_data(parameter.contiguous(layout));
  }
  module.eval();
  if (is_prepared) prepare_for_inference(module, target.dtype);
  spdlog::debug("Loaded {} in {:.2f} s", program_file, stopwatch.seconds());
  return module;
}

at::MemoryFormat image_layout(const ComputeTarget& target, ModelUse use) {
  const bool has_channels_last =
      target.device.is_cpu() ? use == ModelUse::kInference && has_prepared_kernels(target.device)
                             : target.dtype != at::kFloat;
  return has_channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

at::Tensor run_method(const torch::jit::Module& module, const std::string& method,
                      std::vector<c10::IValue> arguments) {
  return invoke(module, method, std::move(arguments),
                [](const c10::IValue& result) { return result.toTensor(); });
}

std::vector<at::Tensor> run_any_method(const torch::jit::Module& module, const std::string& method,
                                       std::vector<c10::IValue> arguments) {
  return invoke(module, method, std::move(arguments), [](const c10::IValue& result) {
    return result.isTensor() ? std::vector{result.toTensor()} : result.toTensorVector();
  });
}

std::vector<at::Tensor> parameters_of(const torch::jit::Module& module) {
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : module.parameters()) parameters.push_back(parameter);
  return parameters;
}

}  // namespace sdx
