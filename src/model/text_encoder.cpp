#include "sdx/model/text_encoder.h"

#include "model/lora/patched_weights.h"
#include "model/script_part.h"
#include "sdx/device/transfer.h"
#include "sdx/util/error.h"

#include <algorithm>

namespace sdx {

namespace {

constexpr const char* kEncodePooled = "encode_pooled";

}  // namespace

struct TextEncoder::Impl {
  LoraPart part() const { return index == 0 ? LoraPart::kText : LoraPart::kSecondText; }

  bool is_reached_by(const AppliedLoras& loras) const {
    return std::ranges::any_of(
        loras, [this](const AppliedLora& applied) { return reaches(applied, part()); });
  }

  void load(const Bundle& bundle, const AppliedLoras& loras) {
    const auto weights = find_weights(bundle, part(), at::kFloat, loras);
    module = load_script_part(bundle, info.part, weights.get(), {device, c10::ScalarType::Float},
                              ModelUse::kTraining);
    is_changed = is_reached_by(loras);
  }

  TextEncoderInfo info;
  std::size_t index;
  c10::Device device;
  torch::jit::Module module = {};
  bool is_changed = false;  ///< a LoRA is in its weights
};

TextEncoder::TextEncoder(const Bundle& bundle, c10::Device device, std::size_t index) {
  const TextEncoderInfo& info = bundle.info().text_encoders.at(index);
  impl_ = std::make_unique<Impl>(Impl{info, index, device});
  impl_->load(bundle, {});
}

void TextEncoder::reload(const Bundle& bundle, const AppliedLoras& loras) {
  if (impl_->is_changed || impl_->is_reached_by(loras)) impl_->load(bundle, loras);
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
