#include "sdx/model/unet.h"

#include <ATen/core/grad_mode.h>

#include <atomic>
#include <string>

#include "model/gradient_range.h"
#include "model/script_unet.h"
#include "sdx/scheduler/noise_schedule.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// Nothing that a caller says is ignored, and nothing that the program needs is made up.
void check_field(const at::Tensor& field, const char* name, bool is_taken) {
  if (field.defined() == is_taken) return;
  throw InternalError(std::string("UNet: the model takes ") + (is_taken ? "\"" : "no \"") + name +
                      "\", the conditioning has " + (is_taken ? "none" : "one"));
}

void check_rows(const at::Tensor& field, const char* name, std::int64_t rows) {
  if (!field.defined() || field.size(0) == rows) return;
  throw InternalError(std::string("UNet: \"") + name + "\": expected " + std::to_string(rows) +
                      " rows, one for each sample, found " + std::to_string(field.size(0)));
}

bool wants_gradient(const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

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
      : program(std::make_unique<ScriptUNet>(bundle, where, what_for)),
        target(where),
        use(what_for),
        latent_channels(bundle.info().latent_channels) {
    const NoiseScheduleConfig& config = bundle.info().noise_schedule;
    is_told_levels = config.beta_schedule == BetaSchedule::kEdm;
    if (!is_told_levels) return;
    const NoiseSchedule schedule(config);
    first_time = schedule.network_time(0);
    time_slope = schedule.network_time(1) - first_time;
  }

  /// The inputs, if the program takes just them.
  /// @throws InternalError naming what is too much, missing, or of other rows.
  UNetInputs inputs(const at::Tensor& sample, const at::Tensor& timesteps,
                    const Conditioning& conditioning) const {
    const ConditioningKinds takes = program->takes();
    check_field(conditioning.context, "context", true);
    check_field(conditioning.pooled, "pooled", takes.pooled);
    check_field(conditioning.size_ids, "size_ids", takes.size_ids);
    check_rows(conditioning.context, "context", sample.size(0));
    check_rows(conditioning.pooled, "pooled", sample.size(0));
    check_rows(conditioning.size_ids, "size_ids", sample.size(0));
    if (!is_told_levels) return {sample, timesteps, conditioning};
    return {sample, timesteps.to(at::kFloat) * time_slope + first_time, conditioning};
  }

  std::unique_ptr<UNetProgram> program;
  ComputeTarget target;
  ModelUse use;
  int latent_channels;
  bool is_told_levels = false;  ///< in place of timesteps: see NoiseSchedule::network_time
  double first_time = 0;
  double time_slope = 1;
  std::atomic_flag busy;
};

UNet::UNet(const Bundle& bundle, const ComputeTarget& target, ModelUse use)
    : impl_(std::make_unique<Impl>(bundle, target, use)) {}

UNet::~UNet() = default;
UNet::UNet(UNet&&) noexcept = default;
UNet& UNet::operator=(UNet&&) noexcept = default;

void UNet::reload(const Bundle& bundle, const AppliedLoras& loras) {
  const OneAtATime alone(impl_->busy);
  impl_->program.reset();
  impl_->program = std::make_unique<ScriptUNet>(bundle, impl_->target, impl_->use, loras);
}

at::Tensor UNet::forward(const at::Tensor& sample, const at::Tensor& timesteps,
                         const Conditioning& conditioning, GradientMemory memory) const {
  const OneAtATime alone(impl_->busy);
  UNetInputs inputs = impl_->inputs(sample, timesteps, conditioning);
  const bool has_gradient = at::GradMode::is_enabled() &&
                            (wants_gradient(sample) || wants_gradient(conditioning.context) ||
                             wants_gradient(conditioning.pooled));
  if (has_gradient && impl_->use == ModelUse::kInference) {
    throw InternalError("UNet: loaded with ModelUse::kInference, which has no gradient");
  }
  if (!has_gradient || impl_->target.dtype != at::kHalf) {
    return impl_->program->forward(inputs, memory);
  }
  const GradientRange range;
  inputs.sample = range.before(sample);
  inputs.conditioning.context = range.before(conditioning.context);
  if (conditioning.pooled.defined()) {
    inputs.conditioning.pooled = range.before(conditioning.pooled);
  }
  return range.after(impl_->program->forward(inputs, memory));
}

void UNet::require_feature_reuse() const { impl_->program->require_feature_reuse(); }

KeptPass UNet::forward_keeping(const at::Tensor& sample, const at::Tensor& timesteps,
                               const Conditioning& conditioning) const {
  const OneAtATime alone(impl_->busy);
  require_feature_reuse();
  return impl_->program->forward_keeping(impl_->inputs(sample, timesteps, conditioning));
}

at::Tensor UNet::forward_reusing(const at::Tensor& sample, const at::Tensor& timesteps,
                                 const Conditioning& conditioning,
                                 const at::Tensor& features) const {
  const OneAtATime alone(impl_->busy);
  require_feature_reuse();
  return impl_->program->forward_reusing(impl_->inputs(sample, timesteps, conditioning), features);
}

int UNet::latent_channels() const { return impl_->latent_channels; }

std::vector<at::Tensor> UNet::parameters() const { return impl_->program->parameters(); }

}  // namespace sdx
