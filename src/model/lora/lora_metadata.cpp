#include "model/lora/lora_metadata.h"

#include <algorithm>
#include <cmath>

#include "sdx/util/json.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// What is stated for the layers of one part.
struct Stated {
  const Json* settings;
  std::string prefix;  ///< of its keys: "unet."

  const Json* find(const char* key) const {
    const auto found = settings->find(prefix + key);
    return found == settings->end() ? nullptr : &*found;
  }
};

std::string flat(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

/// The alpha of a layer; nothing if none is stated. A pattern is the end of a layer's name.
std::optional<double> find_alpha(const Stated& stated, const LoraLayer& layer) {
  const Json* const patterns = stated.find("alpha_pattern");
  if (patterns != nullptr && patterns->is_object()) {
    for (const auto& [name, alpha] : patterns->items()) {
      const std::string end = flat(name);
      if (alpha.is_number() && (layer.path == end || layer.path.ends_with("_" + end))) {
        return alpha.get<double>();
      }
    }
  }
  const Json* const alpha = stated.find("lora_alpha");
  if (alpha == nullptr || !alpha->is_number()) return std::nullopt;
  return alpha->get<double>();
}

void apply(const Stated& stated, LoraLayer& layer) {
  if (layer.alpha) return;
  const auto alpha = find_alpha(stated, layer);
  if (!alpha || !std::isfinite(*alpha)) return;
  layer.alpha = alpha;
  const Json* const root = stated.find("use_rslora");
  layer.root_rank = root != nullptr && root->is_boolean() && root->get<bool>();
}

const char* prefix(LoraPart part) {
  switch (part) {
    case LoraPart::kUNet:
      return "unet.";
    case LoraPart::kText:
      return "text_encoder.";
    case LoraPart::kSecondText:
      return "text_encoder_2.";
  }
  return "";
}

}  // namespace

void apply_stated_alphas(Lora& lora) {
  if (const auto text = lora.metadata.find("lora_adapter_metadata"); text != lora.metadata.end()) {
    const Json settings = Json::parse(text->second, nullptr, /*allow_exceptions=*/false);
    if (!settings.is_object()) return;
    for (LoraLayer& layer : lora.layers) apply({&settings, prefix(layer.part)}, layer);
    return;
  }
  const fs::path beside = lora.file.parent_path() / "adapter_config.json";
  if (lora.name() != "adapter_model" || !fs::is_regular_file(beside)) return;
  const Json settings = read_json_file(beside);
  if (!settings.is_object()) return;
  for (LoraLayer& layer : lora.layers) apply({&settings, ""}, layer);
}

}  // namespace sdx
