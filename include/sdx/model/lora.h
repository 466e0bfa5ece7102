#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/model/bundle.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// How a file says by which matrix a weight changes (ΔW, of the weight's shape). What is known of
/// each is a row of the table in src/model/lora/lora_kinds.cpp.
enum class LoraKind {
  kLora,        ///< up · down (Hu et al. 2021); with convolutions it is called LoCon
  kLoha,        ///< (w1_a · w1_b) ∘ (w2_a · w2_b), elementwise (LyCORIS)
  kLokr,        ///< w1 ⊗ w2, Kronecker's product (LyCORIS)
  kDifference,  ///< the matrix itself
};

template <>
inline constexpr std::array kEnumTexts<LoraKind> = {
    EnumText{LoraKind::kLora, "LoRA"}, EnumText{LoraKind::kLoha, "LoHa"},
    EnumText{LoraKind::kLokr, "LoKr"}, EnumText{LoraKind::kDifference, "difference"}};

/// The part of a model that a layer of a LoRA changes. The VAE is never changed.
enum class LoraPart { kUNet, kText, kSecondText };

template <>
inline constexpr std::array kEnumTexts<LoraPart> = {
    EnumText{LoraPart::kUNet, "unet"}, EnumText{LoraPart::kText, "text encoder"},
    EnumText{LoraPart::kSecondText, "second text encoder"}};

/// What a tensor is in its layer.
enum class LoraRole {
  kUp,
  kDown,
  kMid,
  kW1,
  kW1A,
  kW1B,
  kW2,
  kW2A,
  kW2B,
  kT1,
  kT2,
  kDifference,
  kMagnitude,
};

/// What a LoRA says of one layer of a model.
struct LoraLayer {
  std::string name;  ///< as the file calls it: "lora_unet_mid_block_attentions_0_proj_in"
  LoraPart part = LoraPart::kUNet;
  std::string path;  ///< in its part, with "_" for ".": "mid_block_attentions_0_proj_in"
  LoraKind kind = LoraKind::kLora;
  std::map<LoraRole, at::Tensor> tensors;  ///< float32, float16 or bfloat16, as in the file
  std::optional<double> alpha;
  std::int64_t rank = 0;   ///< 0: the kind, or this layer of it, has none
  bool root_rank = false;  ///< alpha is divided by the root of the rank (rsLoRA)

  bool has(LoraRole role) const { return tensors.contains(role); }
  const at::Tensor& at(LoraRole role) const { return tensors.at(role); }
  /// DoRA: the length of each row or column is learnt by itself.
  bool has_magnitude() const { return has(LoraRole::kMagnitude); }
  /// It changes a convolution that sees more than one place (LoCon).
  bool has_kernel() const;
  /// The factor of ΔW: alpha / rank; 1 where the file has no alpha or the layer no rank.
  double scale() const;
};

/// A LoRA file.
struct Lora {
  std::filesystem::path file;
  std::vector<LoraLayer> layers;                ///< in the order of their names
  std::map<std::string, std::string> metadata;  ///< of the safetensors header
  std::string short_hash;                       ///< see short_lora_hash()
  bool has_words = false;            ///< there are embeddings inside, see read_lora_words()
  std::vector<std::string> unknown;  ///< tensors whose names mean nothing here

  /// Its name in prompts: the file's, without ending.
  std::string name() const { return file.stem().string(); }
};

/// Reads a LoRA of any kind and layout: safetensors, or a file of torch.save, which is read as
/// data. Tensors stay mapped; each is read once, to see that it is finite.
///
/// Names of layers are those of kohya (`lora_unet_…`, `lora_te1_…`), of diffusers and PEFT
/// (`unet.….lora_A.weight`), of older diffusers (`….processor.to_q_lora.up.weight`) and of the
/// original layout (`diffusion_model.input_blocks.…`).
/// @throws DataError naming file and tensor: a missing half of a pair, ranks that differ, what is
///         not finite; a kind that is not known here (OFT, GLoRA, IA³, …); a file that is something
///         else, a checkpoint or an embedding. MissingInputError, IoError.
std::shared_ptr<const Lora> read_lora(const std::filesystem::path& file);

/// What AUTOMATIC1111 calls a LoRA by in `Lora hashes`: the first 12 hex digits of a SHA-256. Of
/// safetensors the bytes behind the header count, of other files all.
/// @throws as sha256_of_file.
std::string short_lora_hash(const std::filesystem::path& file);

/// A LoRA in a picture. `text` and `unet` say how much of ΔW is added, to the weights of the text
/// encoders and of the UNet: 1 is as trained, below 0 the opposite.
struct AppliedLora {
  std::string name;  ///< as the prompt calls it
  std::shared_ptr<const Lora> lora;
  double text = 1;
  double unet = 1;

  /// Whether nothing is added at all.
  bool is_off() const { return text == 0 && unet == 0; }
  /// The strength for a part.
  double strength(LoraPart part) const { return part == LoraPart::kUNet ? unet : text; }
  bool operator==(const AppliedLora&) const = default;
};

/// What is added to a model, one after the other. The sum does not depend on the order but for
/// rounding: each difference is made of the model's own weight.
using AppliedLoras = std::vector<AppliedLora>;

/// The model that a LoRA was made for, for messages: "SDXL", "SD 1.x", "a model whose UNet reads a
/// context of width 32". By its shapes, else by what its metadata say; empty if nothing tells.
std::string describe_made_for(const Lora& lora);

/// How a LoRA fits a model.
struct LoraFit {
  std::size_t layers = 0;                ///< that change the model
  std::vector<std::string> not_there;    ///< names of layers that the model does not have
  std::vector<std::string> other_shape;  ///< "name: expected 320 x 768, found 320 x 1024"
};

/// Compares names and shapes; nothing is computed.
/// @throws DataError naming the file, what it was made for, and the model, if no layer fits or if
/// it
///         was made for another family.
LoraFit fit_lora(const Lora& lora, const Bundle& bundle);

/// What a person should know of a fit, a sentence each; mostly nothing.
std::vector<std::string> describe_misfits(const Lora& lora, const LoraFit& fit,
                                          const std::string& model);

}  // namespace sdx
