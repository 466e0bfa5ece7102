#include "sdx/model/text_encoder.h"

#include "model/script_part.h"
#include "sdx/device/transfer.h"

namespace sdx {

struct TextEncoder::Impl {
  torch::jit::Module module;
  c10::Device device;
};

TextEncoder::TextEncoder(const Bundle& bundle, c10::Device device)
    : impl_(std::make_unique<Impl>(
          Impl{load_script_part(bundle, "text_encoder", "text_encoder",
                                {device, c10::ScalarType::Float}, ModelUse::kTraining),
               device})) {}

TextEncoder::~TextEncoder() = default;
TextEncoder::TextEncoder(TextEncoder&&) noexcept = default;
TextEncoder& TextEncoder::operator=(TextEncoder&&) noexcept = default;

at::Tensor TextEncoder::embed(const at::Tensor& ids) const {
  return run_method(impl_->module, "embed", {to_device(ids, impl_->device)});
}

at::Tensor TextEncoder::encode(const at::Tensor& embeddings, int skip_last) const {
  return run_method(impl_->module, "encode",
                    {to_device(embeddings, impl_->device), static_cast<std::int64_t>(skip_last)});
}

std::vector<at::Tensor> TextEncoder::parameters() const { return parameters_of(impl_->module); }

}  // namespace sdx
