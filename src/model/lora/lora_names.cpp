#include "model/lora/lora_names.h"

#include <algorithm>
#include <array>
#include <span>

namespace sdx {

namespace {

using enum LoraRole;

constexpr auto kLora = LoraKind::kLora;
constexpr auto kLoha = LoraKind::kLoha;
constexpr auto kLokr = LoraKind::kLokr;

struct Ending {
  std::string_view text;
  LoraKind kind;
  std::optional<LoraRole> role;
  bool is_of_any_kind = false;
};

/// kohya and LyCORIS; PEFT; diffusers, of today and before. Of several that fit the longest counts.
constexpr Ending kEndings[] = {
    {".lora_up.weight", kLora, kUp},
    {".lora_down.weight", kLora, kDown},
    {".lora_mid.weight", kLora, kMid},
    {".lora_B.weight", kLora, kUp},
    {".lora_A.weight", kLora, kDown},
    {".lora_B.default.weight", kLora, kUp},
    {".lora_A.default.weight", kLora, kDown},
    {".lora_B", kLora, kUp},
    {".lora_A", kLora, kDown},
    {".lora.up.weight", kLora, kUp},
    {".lora.down.weight", kLora, kDown},
    {"_lora.up.weight", kLora, kUp},
    {"_lora.down.weight", kLora, kDown},
    {".lora_linear_layer.up.weight", kLora, kUp},
    {".lora_linear_layer.down.weight", kLora, kDown},
    {".hada_w1_a", kLoha, kW1A},
    {".hada_w1_b", kLoha, kW1B},
    {".hada_w2_a", kLoha, kW2A},
    {".hada_w2_b", kLoha, kW2B},
    {".hada_t1", kLoha, kT1},
    {".hada_t2", kLoha, kT2},
    {".lokr_w1", kLokr, kW1},
    {".lokr_w1_a", kLokr, kW1A},
    {".lokr_w1_b", kLokr, kW1B},
    {".lokr_t1", kLokr, kT1},
    {".lokr_w2", kLokr, kW2},
    {".lokr_w2_a", kLokr, kW2A},
    {".lokr_w2_b", kLokr, kW2B},
    {".lokr_t2", kLokr, kT2},
    {".diff", LoraKind::kDifference, kDifference},
    {".alpha", kLora, std::nullopt, true},
    {"_lora.alpha", kLora, std::nullopt, true},
    {".lora.alpha", kLora, std::nullopt, true},
    {".dora_scale", kLora, kMagnitude, true},
    {".lora_magnitude_vector", kLora, kMagnitude, true},
    {".lora_magnitude_vector.weight", kLora, kMagnitude, true},
    {".lora_magnitude_vector.default.weight", kLora, kMagnitude, true},
};

/// What else changes models, by a piece of its tensors' names.
struct UnreadKind {
  std::string_view piece;
  std::string_view name;
};

constexpr UnreadKind kUnread[] = {
    {".oft_", "OFT"},
    {".boft_", "BOFT"},
    {".a1.weight", "GLoRA"},
    {".on_input", "IA³"},
    {".ia3_l", "IA³"},
    {".w_norm", "changes of norms"},
    {".b_norm", "changes of norms"},
    {".diff_b", "changes of biases"},
    {".lora_embedding_", "a LoRA of a token table"},
    {".set_weight", "whole weights in the place of differences"},
    {".vera_lambda", "VeRA"},
};

struct Beginning {
  std::string_view text;
  LoraPart part;
  bool is_kept = false;  ///< it is part of the path itself
};

constexpr auto kFirst = LoraPart::kText;
constexpr auto kSecond = LoraPart::kSecondText;

/// Of several that fit the longest counts. Each may stand behind PEFT's `base_model.model.`.
constexpr Beginning kBeginnings[] = {
    {"lora_unet_", LoraPart::kUNet},
    {"lycoris_unet_", LoraPart::kUNet},
    {"lora_te_", kFirst},
    {"lora_te1_", kFirst},
    {"lora_te2_", kSecond},
    {"lycoris_te_", kFirst},
    {"lycoris_te1_", kFirst},
    {"lycoris_te2_", kSecond},
    {"unet.", LoraPart::kUNet},
    {"diffusion_model.", LoraPart::kUNet},
    {"model.diffusion_model.", LoraPart::kUNet},
    {"text_encoder.", kFirst},
    {"text_encoder_2.", kSecond},
    {"text_encoders.clip_l.transformer.", kFirst},
    {"text_encoders.clip_g.transformer.", kSecond},
    {"clip_l.", kFirst},
    {"clip_g.", kSecond},
    {"cond_stage_model.transformer.", kFirst},
    {"cond_stage_model.model.", kFirst},
    {"conditioner.embedders.0.transformer.", kFirst},
    {"conditioner.embedders.1.model.", kSecond},
    // Old attention processors of diffusers, and PEFT's files of a UNet alone.
    {"down_blocks.", LoraPart::kUNet, true},
    {"mid_block.", LoraPart::kUNet, true},
    {"up_blocks.", LoraPart::kUNet, true},
    {"conv_in", LoraPart::kUNet, true},
    {"conv_out", LoraPart::kUNet, true},
    {"time_embedding.", LoraPart::kUNet, true},
    {"add_embedding.", LoraPart::kUNet, true},
    {"input_blocks.", LoraPart::kUNet, true},
    {"middle_block.", LoraPart::kUNet, true},
    {"output_blocks.", LoraPart::kUNet, true},
    {"text_model.", kFirst, true},
};

struct ForeignFamily {
  std::string_view beginning;
  std::string_view name;
};

constexpr std::string_view kOfTransformers = "Flux, SD 3 or another model with a transformer";

constexpr ForeignFamily kForeign[] = {
    {"lora_transformer_", kOfTransformers},
    {"transformer.", kOfTransformers},
    {"transformer_blocks.", kOfTransformers},
    {"single_transformer_blocks.", kOfTransformers},
    {"lora_te3_", kOfTransformers},
    {"text_encoder_3.", kOfTransformers},
    {"lora_unet_double_blocks_", "Flux"},
    {"lora_unet_single_blocks_", "Flux"},
    {"double_blocks.", "Flux"},
    {"diffusion_model.double_blocks.", "Flux"},
    {"lora_unet_joint_blocks_", "SD 3"},
    {"diffusion_model.joint_blocks.", "SD 3"},
    {"lora_prior_unet_", "Stable Cascade"},
    {"lora_unet_blocks_", "a video model"},
    {"diffusion_model.blocks.", "a video model"},
    {"lora_unet_layers_", kOfTransformers},
    {"diffusion_model.layers.", kOfTransformers},
};

template <typename Row, std::size_t kCount>
const Row* find_longest(const Row (&rows)[kCount], std::string_view Row::*text, auto fits) {
  const Row* longest = nullptr;
  for (const Row& row : rows) {
    if (fits(row.*text) && (longest == nullptr || (row.*text).size() > (longest->*text).size())) {
      longest = &row;
    }
  }
  return longest;
}

constexpr std::string_view kPeft = "base_model.model.";

std::string_view without_peft(std::string_view layer) {
  return layer.starts_with(kPeft) ? layer.substr(kPeft.size()) : layer;
}

/// "attn1.processor.to_q" names the layer "attn1.to_q".
std::string as_path(std::string_view name) {
  std::string path(name);
  constexpr std::string_view kProcessor = ".processor.";
  if (const std::size_t at = path.find(kProcessor); at != path.npos) {
    path.replace(at, kProcessor.size(), ".");
  }
  std::ranges::replace(path, '.', '_');
  // A name of transformers' has it or not, depending on what was saved.
  constexpr std::string_view kInner = "text_model_";
  return path.starts_with(kInner) ? path.substr(kInner.size()) : path;
}

}  // namespace

std::optional<LoraTensorName> parse_lora_tensor(const std::string& name) {
  const Ending* const ending = find_longest(kEndings, &Ending::text, [&](std::string_view text) {
    return name.size() > text.size() && name.ends_with(text);
  });
  if (ending == nullptr) return std::nullopt;
  return LoraTensorName{name.substr(0, name.size() - ending->text.size()), ending->kind,
                        ending->role, ending->is_of_any_kind};
}

std::string_view find_unread_kind(std::string_view name) {
  const auto found = std::ranges::find_if(
      kUnread, [name](const UnreadKind& row) { return name.find(row.piece) != name.npos; });
  return found == std::end(kUnread) ? std::string_view() : found->name;
}

std::optional<LoraPlace> find_lora_place(std::string_view layer) {
  const std::string_view name = without_peft(layer);
  const Beginning* const beginning =
      find_longest(kBeginnings, &Beginning::text,
                   [name](std::string_view text) { return name.starts_with(text); });
  if (beginning == nullptr) return std::nullopt;
  const std::string_view rest = beginning->is_kept ? name : name.substr(beginning->text.size());
  return LoraPlace{beginning->part, as_path(rest)};
}

std::string_view find_foreign_family(std::string_view layer) {
  const std::string_view name = without_peft(layer);
  const auto found = std::ranges::find_if(
      kForeign, [name](const ForeignFamily& row) { return name.starts_with(row.beginning); });
  return found == std::end(kForeign) ? std::string_view() : found->name;
}

}  // namespace sdx
