#include "model/import/single_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/import/original_text.h"
#include "model/import/original_unet.h"
#include "model/import/original_vae.h"
#include "model/import/tensor_file.h"
#include "model/import/tensor_names.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kUNetPrefix = "model.diffusion_model.";
constexpr std::string_view kVaePrefix = "first_stage_model.";

/// The smoothed weights of the training, where the file has them, in the place of the last ones.
/// Their names are those of the UNet without dots.
void prefer_averaged_weights(TensorMap& tensors, Checkpoint& checkpoint) {
  constexpr std::string_view kAverage = "model_ema.";
  if (!holds_prefix(tensors, "model_ema.diffusion_model")) return;
  int replaced = 0;
  for (auto& [name, tensor] : tensors) {
    if (!name.starts_with(kUNetPrefix)) continue;
    std::string flat = name.substr(std::string_view("model.").size());
    flat.erase(std::remove(flat.begin(), flat.end(), '.'), flat.end());
    const auto average = tensors.find(std::string(kAverage) + flat);
    if (average == tensors.end()) continue;
    tensor = average->second;
    ++replaced;
  }
  std::erase_if(tensors, [&](const auto& entry) { return entry.first.starts_with(kAverage); });
  checkpoint.remarks.push_back(
      "The averaged (EMA) weights of the UNet are used: " + std::to_string(replaced) + " tensors.");
}

/// What a file is that is no Stable Diffusion 1 or 2, or nothing.
std::string what_else_it_is(const TensorMap& tensors) {
  const auto has_in_name = [&tensors](std::string_view part) {
    return std::any_of(tensors.begin(), tensors.end(), [part](const auto& entry) {
      return entry.first.find(part) != std::string::npos;
    });
  };
  if (holds_prefix(tensors, "conditioner.embedders.") ||
      holds_prefix(tensors, "model.diffusion_model.label_emb.")) {
    return "Stable Diffusion XL, which comes in a later version";
  }
  if (has_in_name("joint_blocks.")) return "Stable Diffusion 3";
  if (has_in_name("double_blocks.")) return "Flux";
  if (has_in_name("lora_down") || has_in_name("lora_up") || has_in_name("lora_A") ||
      has_in_name(".lora.")) {
    return "a LoRA, which changes a model but is none";
  }
  if (has_in_name("control_model.") || holds_prefix(tensors, "input_hint_block.")) {
    return "a ControlNet";
  }
  if (holds_prefix(tensors, "down_blocks.")) {
    return "the UNet of a model in diffusers' layout; give the folder that holds model_index.json";
  }
  const bool has_vae = holds_prefix(tensors, kVaePrefix) ||
                       (holds_prefix(tensors, "encoder.") && holds_prefix(tensors, "decoder."));
  if (has_vae && !holds_prefix(tensors, kUNetPrefix)) return "a VAE without a UNet";
  if (holds(tensors, "emb_params") || has_in_name("string_to_param")) return "an embedding";
  return "";
}

void require_stable_diffusion(const TensorMap& tensors, const std::string& file) {
  const std::string expected = "expected a whole Stable Diffusion 1 or 2 checkpoint";
  if (const std::string other = what_else_it_is(tensors); !other.empty()) {
    throw DataError(file + ": this is " + other + "; " + expected);
  }
  for (const std::string_view prefix : {kUNetPrefix, kVaePrefix}) {
    if (!holds_prefix(tensors, prefix)) {
      throw DataError(file + ": " + expected + ", found no tensor \"" + std::string(prefix) +
                      "*\" among " + std::to_string(tensors.size()));
    }
  }
  if (!holds_prefix(tensors, kClipPrefix) && !holds_prefix(tensors, kOpenClipPrefix)) {
    throw DataError(file + ": " + expected + ", found no text encoder (\"" +
                    std::string(kClipPrefix) + "*\" or \"" + std::string(kOpenClipPrefix) + "*\")");
  }
  const char* first = "model.diffusion_model.input_blocks.0.0.weight";
  const int in_channels = read_size(tensors, first, 1, file);
  if (in_channels == 4) return;
  const std::string kind = in_channels == 9   ? "an inpainting model"
                           : in_channels == 8 ? "an image-editing model (InstructPix2Pix)"
                           : in_channels == 5 ? "a depth-guided model"
                                              : "an unknown variant";
  throw DataError(file + ": this is " + kind + ": its UNet reads " + std::to_string(in_channels) +
                  " channels, expected 4");
}

/// What training code leaves in a checkpoint beside the model: constants of the noise schedule that
/// follow from the betas, and counters.
bool is_of_the_training(const std::string& name) {
  static constexpr std::array<std::string_view, 3> kBeginnings = {"model_ema.", "loss.",
                                                                  "optimizer"};
  if (name.find("position_ids") != std::string::npos) return true;
  if (std::any_of(kBeginnings.begin(), kBeginnings.end(),
                  [&name](std::string_view beginning) { return name.starts_with(beginning); })) {
    return true;
  }
  return name.find('.') == std::string::npos;  // betas, alphas_cumprod, scale_factor, …
}

/// Stable Diffusion 2 comes in two kinds with the same shapes; only hints tell them apart.
void decide_prediction(const TensorFile& content, std::optional<PredictionType> chosen,
                       Checkpoint& checkpoint) {
  const auto stated = content.metadata.find("modelspec.prediction_type");
  const bool is_second = checkpoint.unet_config.linear_projection;
  PredictionType type = is_second ? PredictionType::kVelocity : PredictionType::kEpsilon;
  if (chosen) {
    type = *chosen;
  } else if (stated != content.metadata.end()) {
    type = stated->second.starts_with("v") ? PredictionType::kVelocity : PredictionType::kEpsilon;
    checkpoint.remarks.push_back(
        "Prediction type by the file's metadata: " + std::string(to_string(type)) + ".");
  } else if (content.tensors.contains("v_pred")) {
    type = PredictionType::kVelocity;
    checkpoint.remarks.push_back("Prediction type by the file's mark \"v_pred\": v_prediction.");
  } else if (is_second && content.global_step) {
    // Of the published models only the 512 px "base" one of version 2.1 stopped here.
    constexpr std::int64_t kBaseModelStep = 875'000;
    if (content.global_step == kBaseModelStep) type = PredictionType::kEpsilon;
    checkpoint.remarks.push_back("Prediction type by the file's count of training steps (" +
                                 std::to_string(*content.global_step) +
                                 "): " + std::string(to_string(type)) + ".");
  } else if (is_second) {
    checkpoint.remarks.push_back(
        "The file does not say what its UNet predicts; taken for Stable Diffusion 2 at 768 px, "
        "v_prediction. If pictures are noise: `prediction` epsilon (the 512 px \"base\" models).");
  }
  checkpoint.noise_schedule.prediction_type = type;
  checkpoint.native_size_px = is_second && type == PredictionType::kVelocity ? 768 : 512;
}

}  // namespace

Checkpoint read_single_file(const fs::path& path, const ImportOptions& options) {
  TensorFile content = map_tensor_file(path);
  TensorMap& tensors = content.tensors;
  const std::string file = path.string();
  require_stable_diffusion(tensors, file);

  Checkpoint checkpoint;
  if (content.source) checkpoint.files = {*content.source};
  prefer_averaged_weights(tensors, checkpoint);

  OriginalText text = read_original_text(tensors, file, checkpoint.unused);
  checkpoint.text_config = text.config;
  checkpoint.text_encoder = {std::move(text.tensors), file};
  OriginalUNet unet = read_original_unet(without_prefix(tensors, kUNetPrefix), file);
  checkpoint.unet_config = unet.config;
  checkpoint.unet = {std::move(unet.tensors), file};
  OriginalVae vae = read_original_vae(without_prefix(tensors, kVaePrefix), file);
  checkpoint.vae_config = vae.config;
  checkpoint.vae = {std::move(vae.tensors), file};

  for (const auto& [name, tensor] : tensors) {
    const bool is_of_a_part = name.starts_with(kUNetPrefix) || name.starts_with(kVaePrefix) ||
                              name.starts_with(kClipPrefix) || name.starts_with(kOpenClipPrefix);
    if (is_of_a_part) continue;
    if (!is_of_the_training(name)) {
      throw DataError(file + ": tensor \"" + name +
                      "\" is unknown: this anatomy has no place for it");
    }
    checkpoint.unused.push_back(name);
  }
  decide_prediction(content, options.prediction, checkpoint);
  // Single files bring no vocabulary; all of them were trained with CLIP's.
  checkpoint.tokenizer_folder = data_folder() / "tokenizers/clip";
  checkpoint.tokenizer =
      clip_settings(text.is_open_clip ? ClipPadding::kExclamationMark : ClipPadding::kEndOfText);
  return checkpoint;
}

}  // namespace sdx
