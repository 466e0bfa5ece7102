#include "model/import/single_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include "model/import/edm_marks.h"
#include "model/import/few_steps.h"
#include "model/import/original_text.h"
#include "model/import/original_unet.h"
#include "model/import/original_vae.h"
#include "model/import/tensor_file.h"
#include "model/import/tensor_names.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Where a file keeps the averaged weights of its UNet, names without dots.
constexpr std::string_view kAveragePrefix = "model_ema.diffusion_model";

/// Training programs wrap the model, and its names get a beginning more: "module.", "model.",
/// "_orig_mod.". Takes away what all parts have before their own names.
void remove_wrapping(TensorMap& tensors) {
  static constexpr std::string_view kParts[] = {kUNetPrefix, kAveragePrefix, kVaePrefix,
                                                "cond_stage_model.", "conditioner."};
  std::map<std::string, std::size_t> beginnings;
  for (const auto& [name, tensor] : tensors) {
    for (const std::string_view part : kParts) {
      const std::size_t at = name.find(part);
      if (at == 0 || (at != name.npos && name[at - 1] == '.')) {
        ++beginnings[name.substr(0, at)];
        break;
      }
    }
  }
  if (beginnings.empty() || beginnings.contains("")) return;
  const std::string common = std::ranges::max_element(beginnings, {}, [](const auto& entry) {
                               return entry.second;
                             })->first;
  TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    result[name.starts_with(common) ? name.substr(common.size()) : name] = tensor;
  }
  tensors = std::move(result);
}

/// The smoothed weights of the training, where the file has them, in the place of the last ones.
void prefer_averaged_weights(TensorMap& tensors, ModelCheckpoint& checkpoint) {
  if (!holds_prefix(tensors, kAveragePrefix)) return;
  std::map<std::string, std::string> names = list_names_without_dots();
  const bool is_only_average = !holds_prefix(tensors, kUNetPrefix);
  for (const auto& [name, tensor] : without_prefix(tensors, kUNetPrefix)) {
    std::string flat = name;
    std::erase(flat, '.');
    names[flat] = name;
  }
  const TensorMap averages = without_prefix(tensors, kAveragePrefix);
  int used = 0;
  for (const auto& [flat, tensor] : averages) {
    const auto name = names.find(flat);
    if (name == names.end()) continue;
    tensors[std::string(kUNetPrefix) + name->second] = tensor;
    ++used;
  }
  std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("model_ema."); });
  checkpoint.remarks.push_back(
      (is_only_average ? "The file has averaged (EMA) weights of the UNet only; they are used: "
                       : "The averaged (EMA) weights of the UNet are used: ") +
      std::to_string(used) + " tensors.");
}

bool holds_text_encoder(const TensorMap& tensors) {
  return holds_prefix(tensors, kClipPrefix) || holds_prefix(tensors, kOpenClipPrefix) ||
         holds_text_of_xl(tensors);
}

/// Whether a name is that of a LoRA's tensor, in the ways of kohya, PEFT and diffusers.
bool is_of_lora(std::string_view name) {
  static constexpr std::string_view kParts[] = {"lora_down", "lora_up", "lora_A.",  "lora_B.",
                                                ".lora.",    "hada_w1", "lora_mid", ".lora_layer."};
  return name.starts_with("lora_") || name.starts_with("lycoris_") ||
         std::ranges::any_of(
             kParts, [name](std::string_view part) { return name.find(part) != name.npos; });
}

/// What a file is that is no Stable Diffusion 1, 2 or XL, or nothing.
std::string what_else_it_is(const TensorMap& tensors) {
  const auto has_in_name = [&tensors](std::string_view part) {
    return std::any_of(tensors.begin(), tensors.end(), [part](const auto& entry) {
      return entry.first.find(part) != std::string::npos;
    });
  };
  if (holds_prefix(tensors, kRefinerTextPrefix)) {
    return "the refiner of Stable Diffusion XL, which finishes pictures of a base model";
  }
  if (has_in_name("joint_blocks.")) return "Stable Diffusion 3";
  if (has_in_name("double_blocks.")) return "Flux";
  if (has_in_name("control_model.") || holds_prefix(tensors, "input_hint_block.")) {
    return "a ControlNet";
  }
  const bool is_whole = holds_prefix(tensors, kUNetPrefix) && holds_prefix(tensors, kVaePrefix) &&
                        holds_text_encoder(tensors);
  if (is_whole) return "";
  if (std::ranges::any_of(tensors, [](const auto& entry) { return is_of_lora(entry.first); })) {
    return "a LoRA, which changes a model but is none";
  }
  if (has_in_name("motion_modules.")) return "an AnimateDiff module, a part of a model";
  if (holds_prefix(tensors, "ip_adapter.")) return "an IP-Adapter, which changes a model";
  if (holds_prefix(tensors, "down_blocks.")) {
    return "the UNet of a model in diffusers' layout; give the folder that holds model_index.json";
  }
  const bool has_vae = holds_prefix(tensors, kVaePrefix) ||
                       (holds_prefix(tensors, "encoder.") && holds_prefix(tensors, "decoder."));
  if (has_vae && !holds_prefix(tensors, kUNetPrefix)) return "a VAE without a UNet";
  if (holds_prefix(tensors, "diffusion_model.") ||
      (holds_prefix(tensors, kUNetPrefix) && !has_vae && !holds_text_encoder(tensors))) {
    return "a UNet without its VAE and text encoder";
  }
  if (holds_prefix(tensors, "text_model.") || holds_prefix(tensors, "transformer.text_model.")) {
    return "a text encoder without a UNet";
  }
  if (holds(tensors, "emb_params") || has_in_name("string_to_param")) return "an embedding";
  return "";
}

/// The names that there are, for somebody who wonders why none fits: the beginnings, and one whole.
std::string describe_names(const TensorMap& tensors) {
  constexpr std::size_t kShown = 4;
  std::vector<std::string> beginnings;
  for (const auto& [name, tensor] : tensors) {
    const std::string beginning = in_quotes(name.substr(0, name.find('.')));
    if (!beginnings.empty() && beginnings.back() == beginning) continue;
    if (beginnings.size() == kShown) {
      beginnings.emplace_back("…");
      break;
    }
    beginnings.push_back(beginning);
  }
  return "they begin with " + join(beginnings, ", ") + "; the first is " +
         in_quotes(tensors.begin()->first);
}

void require_stable_diffusion(const TensorMap& tensors, const std::string& file) {
  const std::string expected = "expected a whole Stable Diffusion 1, 2 or XL checkpoint";
  if (const std::string other = what_else_it_is(tensors); !other.empty()) {
    throw DataError(file + ": this is " + other + "; " + expected);
  }
  if (tensors.empty()) throw DataError(file + ": " + expected + ", found no tensors");
  for (const std::string_view prefix : {kUNetPrefix, kVaePrefix}) {
    if (!holds_prefix(tensors, prefix)) {
      throw DataError(file + ": " + expected + ", found no tensor \"" + std::string(prefix) +
                      "*\" among " + std::to_string(tensors.size()) + ": " +
                      describe_names(tensors));
    }
  }
  if (!holds_text_encoder(tensors)) {
    throw DataError(file + ": " + expected + ", found no text encoder (\"" +
                    std::string(kClipPrefix) + "*\", \"" + std::string(kOpenClipPrefix) +
                    "*\" or \"conditioner.embedders.*\") among " + std::to_string(tensors.size()) +
                    " tensors: " + describe_names(tensors));
  }
}

/// What training code leaves in a checkpoint beside the model: constants of the noise schedule that
/// follow from the betas, counters, what it learnt beside the model, what judged the VAE.
bool is_of_the_training(std::string_view name) {
  static constexpr std::string_view kBeginnings[] = {"model_ema.",
                                                     "loss.",
                                                     "optimizer",
                                                     "embedding_manager.",
                                                     "lr_scheduler",
                                                     "denoiser.",
                                                     "edm_vpred.",
                                                     "first_stage_model.loss.",
                                                     "first_stage_model.model_ema."};
  if (name.find("position_ids") != name.npos) return true;
  if (std::ranges::any_of(kBeginnings, [name](std::string_view beginning) {
        return name.starts_with(beginning);
      })) {
    return true;
  }
  // ComfyUI once wrote these beside the text encoder.
  constexpr std::string_view kText = "cond_stage_model.";
  if (name.starts_with(kText) && is_unused_in_clip(name.substr(kText.size()))) return true;
  return name.find('.') == name.npos;  // betas, alphas_cumprod, scale_factor, …
}

bool is_of_a_part(std::string_view name) {
  return name.starts_with(kUNetPrefix) || name.starts_with(kVaePrefix) ||
         name.starts_with(kClipPrefix) || name.starts_with(kOpenClipPrefix) ||
         name.starts_with(kFirstOfXlPrefix) || name.starts_with(kSecondOfXlPrefix);
}

/// Takes away what is no part of the model, and refuses what nobody knows.
void remove_unused(TensorMap& tensors, const std::string& file, ModelCheckpoint& checkpoint) {
  std::size_t of_lora = 0;
  for (const auto& [name, tensor] : tensors) {
    const bool is_lora = is_of_lora(name);
    if (is_of_a_part(name)) {
      if (is_lora) {
        throw DataError(file + ": a whole checkpoint with LoRA tensors left in its layers (" +
                        in_quotes(name) +
                        "): without them the model would be another; merge the LoRA, save again");
      }
      if (!is_of_the_training(name)) continue;
    } else if (!is_lora && !is_of_the_training(name)) {
      throw DataError(file + ": tensor \"" + name +
                      "\" is unknown: this anatomy has no place for it");
    }
    if (is_lora) ++of_lora;
    checkpoint.unused.push_back(name);
  }
  for (const std::string& name : checkpoint.unused) tensors.erase(name);
  if (of_lora == 0) return;
  checkpoint.remarks.push_back("A LoRA was left in the file beside the model (" +
                               count_in_words(of_lora, "tensor", "tensors") +
                               "); it is not part of the model and was left out.");
}

/// Rows behind the vocabulary belong to words whose names the file does not say.
void remark_on_rows(const TokenizerSettings& tokenizer, ModelCheckpoint& checkpoint) {
  const auto known = static_cast<int>(tokenizer.special_tokens.end) + 1;
  const int more = checkpoint.text_encoders.front().config.vocabulary - known;
  if (more <= 0) return;
  checkpoint.remarks.push_back(
      "Its text encoder has " + count_in_words(static_cast<std::size_t>(more), "row", "rows") +
      " beyond CLIP's vocabulary: words that it learnt in training, whose names the file does not "
      "say; they are not used.");
}

/// Tensors without a meaning of their own by which people mark what a UNet was trained for.
struct Marks {
  bool velocity = false;           ///< "v_pred"
  bool zero_terminal_snr = false;  ///< "ztsnr"
};

Marks read_marks(const TensorMap& tensors) {
  return {holds(tensors, "v_pred"), holds(tensors, "ztsnr")};
}

/// Stable Diffusion 2 comes in two kinds with the same shapes; only hints tell them apart.
void decide_prediction(const TensorFile& content, const Marks& marks,
                       std::optional<PredictionType> selected, ModelCheckpoint& checkpoint) {
  const auto stated = content.metadata.find("modelspec.prediction_type");
  const bool is_xl = checkpoint.unet_config.pooled_width > 0;
  const bool is_second = !is_xl && checkpoint.unet_config.linear_projection;
  PredictionType type = is_second ? PredictionType::kVelocity : PredictionType::kEpsilon;
  if (selected) {
    type = *selected;
  } else if (stated != content.metadata.end()) {
    type = stated->second.starts_with("v") ? PredictionType::kVelocity : PredictionType::kEpsilon;
    checkpoint.remarks.push_back(
        "Prediction type by the file's metadata: " + std::string(to_string(type)) + ".");
  } else if (marks.velocity) {
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
  if (marks.zero_terminal_snr && type == PredictionType::kVelocity) {
    checkpoint.noise_schedule.zero_terminal_snr = true;
    checkpoint.remarks.push_back(
        "Noise schedule by the file's mark \"ztsnr\": it ends in pure "
        "noise.");
  }
  const bool is_of_768 = is_second && type == PredictionType::kVelocity;
  checkpoint.native_size_px = is_xl ? 1024 : is_of_768 ? 768 : 512;
}

}  // namespace

ModelCheckpoint read_single_file(const fs::path& path, const ImportOptions& options) {
  TensorFile content = map_tensor_file(path);
  TensorMap& tensors = content.tensors;
  const std::string file = path.string();
  ModelCheckpoint checkpoint;
  if (content.source) checkpoint.files = {*content.source};
  const Marks marks = read_marks(tensors);
  const std::optional<EdmMarks> edm = read_edm_marks(tensors, file);
  remove_wrapping(tensors);
  prefer_averaged_weights(tensors, checkpoint);
  require_stable_diffusion(tensors, file);
  remove_unused(tensors, file, checkpoint);

  checkpoint.text_encoders = read_original_text(tensors, file, checkpoint.unused);
  OriginalUNet unet = read_original_unet(without_prefix(tensors, kUNetPrefix), file);
  checkpoint.unet_config = unet.config;
  checkpoint.unet = {std::move(unet.tensors), file, std::move(unet.names)};
  OriginalVae vae = read_original_vae(without_prefix(tensors, kVaePrefix), file);
  checkpoint.vae_config = vae.config;
  checkpoint.vae = {std::move(vae.tensors), file, std::move(vae.names)};
  if (checkpoint.unet_config.pooled_width > 0) {
    checkpoint.latent_scale = kLatentScaleOfXl;
    checkpoint.zero_empty_negative = true;
  }
  decide_prediction(content, marks, options.prediction, checkpoint);
  if (edm) apply_edm_marks(*edm, checkpoint);
  recognise_few_steps(content.metadata, checkpoint);
  // Single files bring no vocabulary; all of them were trained with CLIP's.
  checkpoint.tokenizer_folder = data_folder() / "tokenizers/clip";
  checkpoint.tokenizer =
      clip_settings(holds_prefix(tensors, kOpenClipPrefix) ? ClipPadding::kExclamationMark
                                                           : ClipPadding::kEndOfText);
  remark_on_rows(checkpoint.tokenizer, checkpoint);
  return checkpoint;
}

}  // namespace sdx
