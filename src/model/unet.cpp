#include "sdx/model/unet.h"

#include <ATen/core/grad_mode.h>

#include "model/checkpointed.h"
#include "model/script_part.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

std::string up_block(int index) { return "up_" + std::to_string(index); }

/// How many `up_…` segments the program has.
/// @throws DataError if it is not cut into segments.
int count_up_blocks(const torch::jit::Module& module, const std::string& program_file) {
  for (const char* segment : {"time", "down", "mid", "up_0", "head"}) {
    if (module.find_method(segment)) continue;
    throw DataError(program_file + ": has no method \"" + segment +
                    "\", which saving memory needs; import the model again, or train with "
                    "--memory normal");
  }
  int count = 1;
  while (module.find_method(up_block(count))) ++count;
  return count;
}

/// The forward pass in the program's segments, each checkpointed.
at::Tensor forward_in_segments(const torch::jit::Module& module, int up_blocks,
                               const at::Tensor& sample, const at::Tensor& timesteps,
                               const at::Tensor& context) {
  const at::Tensor emb = run_method(module, "time", {timesteps, sample});
  const std::vector<at::Tensor> skips = run_checkpointed(
      [module](const std::vector<at::Tensor>& in) {
        return run_list_method(module, "down", {in[0], in[1], in[2]});
      },
      {sample, emb, context});
  at::Tensor x = run_checkpointed(
                     [module](const std::vector<at::Tensor>& in) {
                       return std::vector{run_method(module, "mid", {in[0], in[1], in[2]})};
                     },
                     {skips.back(), emb, context})
                     .front();
  for (int block = 0; block < up_blocks; ++block) {
    std::vector<at::Tensor> inputs = {x, emb, context};
    inputs.insert(inputs.end(), skips.begin(), skips.end());
    x = run_checkpointed(
            [module, block](const std::vector<at::Tensor>& in) {
              const std::vector<at::Tensor> joined(in.begin() + 3, in.end());
              return std::vector{
                  run_method(module, up_block(block), {in[0], joined, in[1], in[2]})};
            },
            inputs)
            .front();
  }
  return run_checkpointed(
             [module](const std::vector<at::Tensor>& in) {
               return std::vector{run_method(module, "head", {in[0]})};
             },
             {x})
      .front();
}

}  // namespace

struct UNet::Impl {
  torch::jit::Module module;
  ComputeTarget target;
  ModelUse use;
  at::MemoryFormat layout;
  std::string program_file;

  /// What the program's methods take, on the device and in the layout and type that it computes in.
  std::vector<c10::IValue> inputs(const at::Tensor& sample, const at::Tensor& timesteps,
                                  const at::Tensor& context) const {
    const bool wants_gradient =
        at::GradMode::is_enabled() && (sample.requires_grad() || context.requires_grad());
    if (wants_gradient && use == ModelUse::kInference) {
      throw InternalError("UNet: loaded with ModelUse::kInference, which has no gradient");
    }
    return {sample.to(target.device, target.dtype).contiguous(layout), timesteps.to(target.device),
            context.to(target.device, target.dtype)};
  }
};

UNet::UNet(const Bundle& bundle, const ComputeTarget& target, ModelUse use)
    : impl_(std::make_unique<Impl>(Impl{load_script_part(bundle, "unet", "unet", target, use),
                                        target, use, image_layout(target, use),
                                        (bundle.folder() / "unet.ts").string()})) {}

UNet::~UNet() = default;
UNet::UNet(UNet&&) noexcept = default;
UNet& UNet::operator=(UNet&&) noexcept = default;

at::Tensor UNet::forward(const at::Tensor& sample, const at::Tensor& timesteps,
                         const at::Tensor& context, GradientMemory memory) const {
  std::vector<c10::IValue> inputs = impl_->inputs(sample, timesteps, context);
  const at::Tensor output =
      memory == GradientMemory::kNormal
          ? run_method(impl_->module, "forward", std::move(inputs))
          : forward_in_segments(impl_->module, count_up_blocks(impl_->module, impl_->program_file),
                                inputs[0].toTensor(), inputs[1].toTensor(), inputs[2].toTensor());
  return output.to(at::kFloat).contiguous();
}

void UNet::require_feature_reuse() const {
  for (const char* method : {"forward_keeping", "forward_reusing"}) {
    if (impl_->module.find_method(method)) continue;
    throw DataError(impl_->program_file + ": has no method \"" + method +
                    "\", which reusing features needs; import the model again, or make pictures "
                    "without --reuse-features");
  }
}

KeptPass UNet::forward_keeping(const at::Tensor& sample, const at::Tensor& timesteps,
                               const at::Tensor& context) const {
  require_feature_reuse();
  const std::vector<at::Tensor> made =
      run_list_method(impl_->module, "forward_keeping", impl_->inputs(sample, timesteps, context));
  return {made.at(0).to(at::kFloat).contiguous(), made.at(1)};
}

at::Tensor UNet::forward_reusing(const at::Tensor& sample, const at::Tensor& timesteps,
                                 const at::Tensor& context, const at::Tensor& features) const {
  require_feature_reuse();
  std::vector<c10::IValue> inputs = impl_->inputs(sample, timesteps, context);
  inputs.emplace_back(features);
  return run_method(impl_->module, "forward_reusing", std::move(inputs))
      .to(at::kFloat)
      .contiguous();
}

std::vector<at::Tensor> UNet::parameters() const { return parameters_of(impl_->module); }

}  // namespace sdx
