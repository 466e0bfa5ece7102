#include "sdx/model/identity_network.h"

#include <ATen/core/grad_mode.h>

#include "model/script_part.h"
#include "sdx/image/convert.h"
#include "sdx/image/transform.h"

namespace sdx {

struct IdentityNetwork::Impl {
  torch::jit::Module module;
  IdentitySettings settings;
  c10::Device device;
};

std::unique_ptr<IdentityNetwork> IdentityNetwork::load(const Bundle& bundle, c10::Device device) {
  if (bundle.info().identity.size_px == 0) return nullptr;
  auto module =
      load_script_part(bundle, "identity", "identity", {device, at::kFloat}, ModelUse::kTraining);
  return std::unique_ptr<IdentityNetwork>(new IdentityNetwork(
      std::make_unique<Impl>(Impl{std::move(module), bundle.info().identity, device})));
}

IdentityNetwork::IdentityNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IdentityNetwork::~IdentityNetwork() = default;

std::optional<std::vector<float>> IdentityNetwork::encode(const Image& image) const {
  const at::NoGradGuard no_grad;
  const int size_px = impl_->settings.size_px;
  const at::Tensor pixels = to_tensor(resize(image, size_px, size_px)).to(impl_->device);
  const at::Tensor vector = run_method(impl_->module, "forward", {pixels}).cpu().contiguous();
  const float* first = vector.const_data_ptr<float>();
  return std::vector<float>(first, first + vector.numel());
}

double IdentityNetwork::same_person_cosine() const { return impl_->settings.same_person_cosine; }

Identities Identities::load_installed(const Bundle& bundle, c10::Device device,
                                      const std::filesystem::path& face_network) {
  return {FaceNetwork::load_installed(face_network), IdentityNetwork::load(bundle, device)};
}

std::vector<const IdentityEncoder*> Identities::all() const {
  std::vector<const IdentityEncoder*> encoders;
  if (photographs) encoders.push_back(&*photographs);
  if (own) encoders.push_back(own.get());
  return encoders;
}

}  // namespace sdx
