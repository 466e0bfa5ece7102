#include "model/script_part.h"

#include <ATen/Context.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <spdlog/spdlog.h>

#include <filesystem>
#include <optional>
#include <sstream>

#include "model/packed_weight.h"
#include "model/prepared.h"
#include "sdx/model/import/borrowed_vae.h"
#include "sdx/util/error.h"
#include "sdx/util/failure.h"
#include "sdx/util/stopwatch.h"

namespace sdx {

namespace {

/// The kernels of packed_weight.h are there.
bool has_prepared_kernels(const c10::Device& device) {
  return device.is_cpu() && has_packed_kernels();
}

/// Binds every parameter to the weight of its name, one by one, so that a conversion never holds
/// two whole models.
/// @param target nothing: the weights as the source has them.
void bind_weights(const torch::jit::Module& module, const WeightSource& weights,
                  const std::optional<ComputeTarget>& target) {
  for (const auto& parameter : module.named_parameters()) {
    const at::Tensor weight = weights.weight(parameter.name);
    parameter.value.set_data(target ? weight.to(target->device, target->dtype) : weight);
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
  const torch::jit::GraphOptimizerEnabledGuard as_it_is(false);
  try {
    return read(module.get_method(method)(std::move(arguments)));
  } catch (const std::exception& error) {
    if (const auto text = out_of_memory(error)) throw TryAgainError(*text);
    throw InternalError("the model's \"" + method + "\": " + cause_in(error.what()));
  }
}

/// @param file for messages
torch::jit::Module load_program(const std::string& bytes, const std::filesystem::path& file,
                                const WeightSource* weights, const ComputeTarget& target,
                                ModelUse use) {
  const Stopwatch stopwatch;
  std::istringstream archive(bytes);
  torch::jit::Module module = [&] {
    try {
      return torch::jit::load(archive, c10::DeviceType::CPU);
    } catch (const c10::Error& error) {
      throw DataError(file.string() +
                      ": not a TorchScript program: " + error.what_without_backtrace());
    }
  }();
  const bool is_prepared = use == ModelUse::kInference && has_prepared_kernels(target.device);
  if (weights != nullptr) {
    bind_weights(module, *weights, is_prepared ? std::nullopt : std::optional(target));
  } else if (!is_prepared) {
    module.to(target.device, target.dtype);
  }
  const at::MemoryFormat layout = image_layout(target, use);
  for (const at::Tensor& parameter : collect_parameters(module)) {
    parameter.set_requires_grad(false);
    if (!is_prepared && parameter.dim() == 4) parameter.set_data(parameter.contiguous(layout));
  }
  module.eval();
  if (is_prepared) prepare_for_inference(module, target.dtype);
  spdlog::debug("Loaded {} in {:.2f} s", file.filename().string(), stopwatch.seconds());
  return module;
}

}  // namespace

torch::jit::Module load_script_part(const Bundle& bundle, const std::string& program,
                                    const std::string& part, const ComputeTarget& target,
                                    ModelUse use) {
  if (const BorrowedVae* const vae = bundle.borrowed_vae().get(); vae != nullptr && part == "vae") {
    return load_program(vae->programs.at(program), vae->source / (program + ".ts"),
                        vae->weights.get(), target, use);
  }
  return load_script_part(bundle, program, MappedWeights::find(bundle, part).get(), target, use);
}

torch::jit::Module load_script_part(const Bundle& bundle, const std::string& program,
                                    const WeightSource* weights, const ComputeTarget& target,
                                    ModelUse use) {
  const std::string file = program + ".ts";
  return load_program(bundle.checked_bytes(file), bundle.folder() / file, weights, target, use);
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

std::vector<at::Tensor> collect_parameters(const torch::jit::Module& module) {
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : module.parameters()) parameters.push_back(parameter);
  return parameters;
}

}  // namespace sdx
