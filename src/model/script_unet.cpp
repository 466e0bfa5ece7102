#include "model/script_unet.h"

#include "model/checkpointed.h"
#include "model/lora/patched_weights.h"
#include "model/script_part.h"
#include "sdx/device/transfer.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

std::string up_block(int index) { return "up_" + std::to_string(index); }

/// What "forward" takes behind self, sample, timestep and context.
ConditioningKinds read_kinds(const torch::jit::Module& module, const std::string& program_file) {
  constexpr std::size_t kAlways = 4;
  const c10::FunctionSchema& schema = module.get_method("forward").function().getSchema();
  ConditioningKinds kinds;
  for (std::size_t i = kAlways; i < schema.arguments().size(); ++i) {
    const std::string& name = schema.arguments()[i].name();
    const bool is_pooled = name == "pooled" && i == kAlways;
    const bool is_size_ids = name == "size_ids" && !kinds.size_ids;
    if (!is_pooled && !is_size_ids) {
      throw DataError(program_file + ": \"forward\" takes \"" + name +
                      "\", which is not known; after sample, timestep and context come pooled and "
                      "size_ids, in this order, where the model has them");
    }
    kinds.pooled = kinds.pooled || is_pooled;
    kinds.size_ids = kinds.size_ids || is_size_ids;
  }
  return kinds;
}

}  // namespace

ScriptUNet::ScriptUNet(const Bundle& bundle, const ComputeTarget& target, ModelUse use,
                       const AppliedLoras& loras)
    : module_(load_script_part(bundle, "unet",
                               find_weights(bundle, LoraPart::kUNet, target.dtype, loras).get(),
                               target, use)),
      target_(target),
      use_(use),
      program_file_((bundle.folder() / "unet.ts").string()),
      takes_(read_kinds(module_, program_file_)),
      forward_(recorded("forward")),
      forward_keeping_(recorded("forward_keeping")),
      forward_reusing_(recorded("forward_reusing")) {}

/// What the program's methods take, on the device and in the layout and type that it computes in.
std::vector<at::Tensor> ScriptUNet::arguments(const UNetInputs& inputs) const {
  const Conditioning conditioning = inputs.conditioning.to(target_.device, target_.dtype);
  std::vector<at::Tensor> arguments = {to_device(inputs.sample, target_.device)
                                           .to(target_.dtype)
                                           .contiguous(image_layout(target_, use_)),
                                       to_device(inputs.timesteps, target_.device),
                                       conditioning.context};
  if (takes_.pooled) arguments.push_back(conditioning.pooled);
  if (takes_.size_ids) arguments.push_back(conditioning.size_ids);
  return arguments;
}

/// A method whose first result is the output, and that may have others.
RecordedCall ScriptUNet::recorded(const char* method) const {
  return {std::string("UNet ") + method,
          [program = module_, method](const std::vector<at::Tensor>& inputs) {
            std::vector<at::Tensor> made =
                run_any_method(program, method, {inputs.begin(), inputs.end()});
            made.front() = made.front().to(at::kFloat).contiguous();
            return made;
          },
          graph_factory(target_.device)};
}

/// A pass, once more without any recording if memory runs out.
std::vector<at::Tensor> ScriptUNet::with_room(
    const std::function<std::vector<at::Tensor>()>& work) {
  return sdx::with_room({&forward_, &forward_keeping_, &forward_reusing_}, target_.device, work);
}

at::Tensor ScriptUNet::forward(const UNetInputs& inputs, GradientMemory memory) {
  const std::vector<at::Tensor> given = arguments(inputs);
  const auto pass = [&]() -> std::vector<at::Tensor> {
    if (memory == GradientMemory::kNormal) return forward_(given);
    return {forward_in_segments(given).to(at::kFloat).contiguous()};
  };
  return with_room(pass).front();
}

/// How many `up_…` segments the program has.
/// @throws DataError if it is not cut into segments.
int ScriptUNet::count_up_blocks() const {
  for (const char* segment : {"time", "down", "mid", "up_0", "head"}) {
    if (module_.find_method(segment)) continue;
    throw DataError(program_file_ + ": has no method \"" + segment +
                    "\", which saving memory needs; import the model again, or train with "
                    "`memory` normal");
  }
  int count = 1;
  while (module_.find_method(up_block(count))) ++count;
  return count;
}

/// The forward pass in the program's segments, each checkpointed.
at::Tensor ScriptUNet::forward_in_segments(const std::vector<at::Tensor>& arguments) const {
  const int up_blocks = count_up_blocks();
  const at::Tensor& sample = arguments[0];
  const at::Tensor& context = arguments[2];
  std::vector<c10::IValue> time = {arguments[1], sample};
  time.insert(time.end(), arguments.begin() + 3, arguments.end());
  const at::Tensor emb = run_method(module_, "time", std::move(time));
  const std::vector<at::Tensor> skips = run_checkpointed(
      [module = module_](const std::vector<at::Tensor>& in) {
        return run_any_method(module, "down", {in[0], in[1], in[2]});
      },
      {sample, emb, context});
  at::Tensor x = run_checkpointed(
                     [module = module_](const std::vector<at::Tensor>& in) {
                       return std::vector{run_method(module, "mid", {in[0], in[1], in[2]})};
                     },
                     {skips.back(), emb, context})
                     .front();
  for (int block = 0; block < up_blocks; ++block) {
    std::vector<at::Tensor> inputs = {x, emb, context};
    inputs.insert(inputs.end(), skips.begin(), skips.end());
    x = run_checkpointed(
            [module = module_, block](const std::vector<at::Tensor>& in) {
              const std::vector<at::Tensor> joined(in.begin() + 3, in.end());
              return std::vector{
                  run_method(module, up_block(block), {in[0], joined, in[1], in[2]})};
            },
            inputs)
            .front();
  }
  return run_checkpointed(
             [module = module_](const std::vector<at::Tensor>& in) {
               return std::vector{run_method(module, "head", {in[0]})};
             },
             {x})
      .front();
}

void ScriptUNet::require_feature_reuse() const {
  for (const char* method : {"forward_keeping", "forward_reusing"}) {
    if (module_.find_method(method)) continue;
    throw DataError(program_file_ + ": has no method \"" + method +
                    "\", which reusing features needs; import the model again, or make pictures "
                    "without `reuse-features`");
  }
}

KeptPass ScriptUNet::forward_keeping(const UNetInputs& inputs) {
  const std::vector<at::Tensor> given = arguments(inputs);
  const std::vector<at::Tensor> made = with_room([&] { return forward_keeping_(given); });
  return {made.at(0), made.at(1)};
}

at::Tensor ScriptUNet::forward_reusing(const UNetInputs& inputs, const at::Tensor& features) {
  std::vector<at::Tensor> given = arguments(inputs);
  given.push_back(features);
  return with_room([&] { return forward_reusing_(given); }).front();
}

std::vector<at::Tensor> ScriptUNet::parameters() const { return collect_parameters(module_); }

}  // namespace sdx
