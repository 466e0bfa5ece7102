#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sdx/model/lora.h"

namespace sdx {

/// What a tensor's name says: the layer, and what the tensor is of it.
struct LoraTensorName {
  std::string layer;  ///< the name without its ending
  LoraKind kind = LoraKind::kLora;
  std::optional<LoraRole> role;  ///< nothing: alpha
  bool is_of_any_kind = false;   ///< alpha and magnitude, which say nothing of the kind
};

/// Reads the ending of a name.
/// @return nothing if it is none that a LoRA of a known kind has.
std::optional<LoraTensorName> parse_lora_tensor(const std::string& name);

/// The kind that a tensor is of, if that kind is not read here: "OFT". Empty for all others.
std::string_view find_unread_kind(std::string_view name);

/// Where in a model a layer is.
struct LoraPlace {
  LoraPart part = LoraPart::kUNet;
  std::string path;  ///< with "_" for "."
};

/// Reads the beginning of a layer's name.
/// @return nothing if it names no part of Stable Diffusion.
std::optional<LoraPlace> find_lora_place(std::string_view layer);

/// The model whose LoRAs name their layers so and that is not supported: "Flux"; empty if there is
/// none.
std::string_view find_foreign_family(std::string_view layer);

/// Where an embedding that lies inside of a LoRA keeps its vectors.
inline constexpr std::string_view kLoraWordPrefix = "bundle_emb.";

}  // namespace sdx
