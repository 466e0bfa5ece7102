#include "model/network_file.h"

#include <ATen/ops/isfinite.h>

namespace sdx {

namespace {

constexpr std::string_view kUpscaler = "an upscaler";

/// What files hold, by how the names of their tensors begin.
struct OtherFile {
  std::string_view beginning;
  std::string_view what;
};
constexpr OtherFile kOtherFiles[] = {
    {"model.diffusion_model.", "a checkpoint of Stable Diffusion"},
    {"conditioner.", "a checkpoint of Stable Diffusion XL"},
    {"first_stage_model.", "a checkpoint of Stable Diffusion, or its autoencoder"},
    {"decoder.conv_in", "a whole autoencoder (VAE) of Stable Diffusion"},
    {"encoder.conv_in", "a whole autoencoder (VAE) of Stable Diffusion"},
    {"lora_", "a LoRA"},
    {"unet.", "a LoRA"},
    {"down_blocks.", "a UNet of Stable Diffusion"},
    {"text_model.", "a text encoder"},
    {"emb_params", "an embedding"},
    {"clip_l", "an embedding"},
    {"layers.0.residual_group", "an upscaler of another family (SwinIR, HAT or DAT)"},
    {"model.1.sub.0.conv1x1", "an upscaler of another family (ESRGAN+)"},
    {"conv_first.", kUpscaler},
    {"model.0.", kUpscaler},
    {"body.", kUpscaler}};

}  // namespace

std::string find_other_kind(const TensorMap& tensors, std::string_view expected) {
  for (const OtherFile& other : kOtherFiles) {
    if (other.what == expected) continue;
    for (const auto& [name, tensor] : tensors) {
      if (name.starts_with(other.beginning)) return std::string(other.what);
    }
  }
  return "";
}

at::Tensor copy_weight(const TensorMap& tensors, const std::string& name, c10::Device device,
                       const std::function<void(const std::string&)>& fail) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) fail("expected a tensor '" + name + "', which is not in it");
  if (!found->second.is_floating_point()) fail("'" + name + "' holds no floating-point numbers");
  const at::Tensor tensor = found->second.to(at::kFloat).contiguous().clone();
  if (!at::isfinite(tensor).all().item<bool>()) {
    fail("'" + name + "' holds values that are not finite (NaN or infinite); the file is damaged");
  }
  return tensor.to(device);
}

}  // namespace sdx
