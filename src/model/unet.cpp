#include "sdx/model/unet.h"

#include "model/script_part.h"

namespace sdx {

struct UNet::Impl {
  torch::jit::Module module;
  ComputeTarget target;
};

UNet::UNet(const Bundle& bundle, const ComputeTarget& target)
    : impl_(
          std::make_unique<Impl>(Impl{load_script_part(bundle, "unet", "unet", target), target})) {}

UNet::~UNet() = default;
UNet::UNet(UNet&&) noexcept = default;
UNet& UNet::operator=(UNet&&) noexcept = default;

at::Tensor UNet::forward(const at::Tensor& sample, const at::Tensor& timesteps,
                         const at::Tensor& context) const {
  const auto [device, dtype] = impl_->target;
  const at::Tensor output =
      run_method(impl_->module, "forward",
                 {sample.to(device, dtype), timesteps.to(device), context.to(device, dtype)});
  return output.to(at::kFloat);
}

std::vector<at::Tensor> UNet::parameters() const { return parameters_of(impl_->module); }

}  // namespace sdx
