#include "sdx/model/text_encoder.h"

#include "model/script_part.h"
#include "sdx/device/transfer.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr const char* kEncodePooled = "encode_pooled";

}  // namespace

struct TextEncoder::Impl {
  TextEncoderInfo info;
  torch::jit::Module module;
  c10::Device device;
};

TextEncoder::TextEncoder(const Bundle& bundle, c10::Device device, std::size_t index) {
  const TextEncoderInfo& info = bundle.info().text_encoders.at(index);
  impl_ = std::make_unique<Impl>(
      Impl{info,
           load_script_part(bundle, info.part, info.part, {device, c10::ScalarType::Float},
                            ModelUse::kTraining),
           device});
}

TextEncoder::~TextEncoder() = default;
TextEncoder::TextEncoder(TextEncoder&&) noexcept = default;
TextEncoder& TextEncoder::operator=(TextEncoder&&) noexcept = default;

const TextEncoderInfo& TextEncoder::info() const { return impl_->info; }

at::Tensor TextEncoder::embed(const at::Tensor& ids) const {
  return run_method(impl_->module, "embed", {to_device(ids, impl_->device)});
}

at::Tensor TextEncoder::encode(const at::Tensor& embeddings, int skip_last) const {
  return run_method(impl_->module, "encode",
                    {to_device(embeddings, impl_->device), static_cast<std::int64_t>(skip_last)});
}

bool TextEncoder::has_pooled() const {
  return impl_->module.find_method(kEncodePooled).has_value();
}

EncodedText TextEncoder::encode_pooled(const at::Tensor& embeddings, const at::Tensor& ends,
                                       int skip_last) const {
  if (!has_pooled()) {
    throw InternalError("text encoder \"" + impl_->info.part + "\": has no method \"" +
                        kEncodePooled + "\"");
  }
  const std::vector<at::Tensor> made =
      run_any_method(impl_->module, kEncodePooled,
                     {to_device(embeddings, impl_->device), static_cast<std::int64_t>(skip_last),
                      to_device(ends, impl_->device)});
  return {made.at(0), made.at(1)};
}

std::vector<at::Tensor> TextEncoder::parameters() const {
  return collect_parameters(impl_->module);
}

}  // namespace sdx
