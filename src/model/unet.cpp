#include "sdx/model/unet.h"

#include <ATen/core/grad_mode.h>

#include <atomic>

#include "model/checkpointed.h"
#include "model/gradient_range.h"
#include "model/script_part.h"
#include "sdx/device/recorded_call.h"
#include "sdx/device/transfer.h"
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
                    "`memory` normal");
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
        return run_any_method(module, "down", {in[0], in[1], in[2]});
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

/// Holds that one thread is in the UNet.
class OneAtATime {
 public:
  explicit OneAtATime(std::atomic_flag& busy) : busy_(busy) {
    if (busy_.test_and_set()) throw InternalError("UNet: called by two threads at once");
  }
  ~OneAtATime() { busy_.clear(); }
  OneAtATime(const OneAtATime&) = delete;
  OneAtATime& operator=(const OneAtATime&) = delete;

 private:
  std::atomic_flag& busy_;
};

}  // namespace

struct UNet::Impl {
  Impl(const Bundle& bundle, const ComputeTarget& where, ModelUse what_for)
      : module(load_script_part(bundle, "unet", "unet", where, what_for)),
        target(where),
        use(what_for),
        program_file((bundle.folder() / "unet.ts").string()) {}

  /// What the program's methods take, on the device and in the layout and type that it computes in.
  std::vector<at::Tensor> inputs(const at::Tensor& sample, const at::Tensor& timesteps,
                                 const at::Tensor& context) const {
    return {to_device(sample, target.device).to(target.dtype).contiguous(image_layout(target, use)),
            to_device(timesteps, target.device),
            to_device(context, target.device).to(target.dtype)};
  }

  at::Tensor predict(const std::vector<at::Tensor>& given, GradientMemory memory) {
    if (memory == GradientMemory::kNormal) return forward(given).front();
    return forward_in_segments(module, count_up_blocks(module, program_file), given[0], given[1],
                               given[2])
        .to(at::kFloat)
        .contiguous();
  }

  /// A method whose first result is the output, and that may have others.
  RecordedCall recorded(const char* method) const {
    return {std::string("UNet ") + method,
            [program = module, method](const std::vector<at::Tensor>& inputs) {
              std::vector<at::Tensor> made =
                  run_any_method(program, method, {inputs.begin(), inputs.end()});
              made.front() = made.front().to(at::kFloat).contiguous();
              return made;
            },
            graph_factory(target.device)};
  }

  torch::jit::Module module;
  ComputeTarget target;
  ModelUse use;
  std::string program_file;
  std::atomic_flag busy;
  RecordedCall forward = recorded("forward");
  RecordedCall forward_keeping = recorded("forward_keeping");
  RecordedCall forward_reusing = recorded("forward_reusing");
};

UNet::UNet(const Bundle& bundle, const ComputeTarget& target, ModelUse use)
    : impl_(std::make_unique<Impl>(bundle, target, use)) {}

UNet::~UNet() = default;
UNet::UNet(UNet&&) noexcept = default;
UNet& UNet::operator=(UNet&&) noexcept = default;

at::Tensor UNet::forward(const at::Tensor& sample, const at::Tensor& timesteps,
                         const at::Tensor& context, GradientMemory memory) const {
  const OneAtATime alone(impl_->busy);
  const bool wants_gradient =
      at::GradMode::is_enabled() && (sample.requires_grad() || context.requires_grad());
  if (wants_gradient && impl_->use == ModelUse::kInference) {
    throw InternalError("UNet: loaded with ModelUse::kInference, which has no gradient");
  }
  if (!wants_gradient || impl_->target.dtype != at::kHalf) {
    return impl_->predict(impl_->inputs(sample, timesteps, context), memory);
  }
  const GradientRange range;
  return range.after(impl_->predict(
      impl_->inputs(range.before(sample), timesteps, range.before(context)), memory));
}

void UNet::require_feature_reuse() const {
  for (const char* method : {"forward_keeping", "forward_reusing"}) {
    if (impl_->module.find_method(method)) continue;
    throw DataError(impl_->program_file + ": has no method \"" + method +
                    "\", which reusing features needs; import the model again, or make pictures "
                    "without `reuse-features`");
  }
}

KeptPass UNet::forward_keeping(const at::Tensor& sample, const at::Tensor& timesteps,
                               const at::Tensor& context) const {
  const OneAtATime alone(impl_->busy);
  require_feature_reuse();
  const std::vector<at::Tensor> made =
      impl_->forward_keeping(impl_->inputs(sample, timesteps, context));
  return {made.at(0), made.at(1)};
}

at::Tensor UNet::forward_reusing(const at::Tensor& sample, const at::Tensor& timesteps,
                                 const at::Tensor& context, const at::Tensor& features) const {
  const OneAtATime alone(impl_->busy);
  require_feature_reuse();
  std::vector<at::Tensor> inputs = impl_->inputs(sample, timesteps, context);
  inputs.push_back(features);
  return impl_->forward_reusing(inputs).front();
}

std::vector<at::Tensor> UNet::parameters() const { return parameters_of(impl_->module); }

}  // namespace sdx
