#include "model/lora/lora_fit.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "model/lora/lora_kinds.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// Widths by which a family of models is told, and its name.
struct FamilyWidth {
  std::int64_t context;
  std::string_view name;
};

constexpr FamilyWidth kFamilies[] = {{768, "SD 1.x"}, {1024, "SD 2.x"}, {2048, "SDXL"}};

/// What training programs write of the model, and its name.
struct StatedFamily {
  std::string_view key;
  std::string_view beginning;
  std::string_view name;
};

constexpr StatedFamily kStated[] = {
    {"ss_base_model_version", "sdxl", "SDXL"},
    {"ss_base_model_version", "sd_v2", "SD 2.x"},
    {"ss_base_model_version", "sd_v1", "SD 1.x"},
    {"ss_base_model_version", "sd3", "SD 3"},
    {"ss_base_model_version", "flux", "Flux"},
    {"modelspec.architecture", "stable-diffusion-xl", "SDXL"},
    {"modelspec.architecture", "stable-diffusion-v2", "SD 2.x"},
    {"modelspec.architecture", "stable-diffusion-v1", "SD 1.x"},
    {"modelspec.architecture", "stable-diffusion-3", "SD 3"},
    {"modelspec.architecture", "flux", "Flux"},
};

/// The columns of the first layer of a part whose path ends so.
std::optional<std::int64_t> find_columns(const Lora& lora, LoraPart part, std::string_view end) {
  for (const LoraLayer& layer : lora.layers) {
    if (layer.part == part && layer.path.ends_with(end)) {
      return lora_kind_row(layer.kind).find_size(layer).columns;
    }
  }
  return std::nullopt;
}

/// How wide the context is that the UNet's cross-attention reads.
std::optional<std::int64_t> find_context_width(const Lora& lora) {
  const auto of_keys = find_columns(lora, LoraPart::kUNet, "attn2_to_k");
  return of_keys ? of_keys : find_columns(lora, LoraPart::kUNet, "attn2_to_v");
}

std::optional<std::int64_t> find_text_width(const Lora& lora, LoraPart part) {
  for (const char* end : {"self_attn_q_proj", "self_attn_k_proj", "self_attn_v_proj", "mlp_fc1"}) {
    if (const auto columns = find_columns(lora, part, end)) return columns;
  }
  return std::nullopt;
}

bool has_part(const Lora& lora, LoraPart part) {
  return std::ranges::any_of(lora.layers,
                             [part](const LoraLayer& layer) { return layer.part == part; });
}

std::string_view find_stated_family(const Lora& lora) {
  for (const StatedFamily& row : kStated) {
    const auto stated = lora.metadata.find(std::string(row.key));
    if (stated != lora.metadata.end() && lower_case(stated->second).starts_with(row.beginning)) {
      return row.name;
    }
  }
  return {};
}

std::string describe_model(const BundleInfo& info) {
  const std::int64_t width = info.context_width();
  const auto family = std::ranges::find(kFamilies, width, &FamilyWidth::context);
  return info.name + (family == std::end(kFamilies)
                          ? ", whose UNet reads a context of width " + std::to_string(width)
                          : ", which is " + std::string(family->name));
}

[[noreturn]] void refuse(const Lora& lora, const BundleInfo& info, const std::string& reason) {
  const std::string made_for = describe_made_for(lora);
  throw DataError(lora.file.string() + ": the LoRA was made for " +
                  (made_for.empty() ? "another model" : made_for) + "; the model here is " +
                  describe_model(info) + (reason.empty() ? "" : " (" + reason + ")"));
}

/// A LoRA of another family has layers of the same names, some even of the same shapes.
void check_family(const Lora& lora, const BundleInfo& info) {
  const auto context = find_context_width(lora);
  if (context && *context != info.context_width()) refuse(lora, info, "");
  for (const LoraPart part : {LoraPart::kText, LoraPart::kSecondText}) {
    if (!has_part(lora, part)) continue;
    const std::size_t index = part == LoraPart::kText ? 0 : 1;
    if (index >= info.text_encoders.size()) refuse(lora, info, "it has no second text encoder");
    const auto width = find_text_width(lora, part);
    if (width && *width != info.text_encoders[index].width) refuse(lora, info, "");
  }
}

/// Whether a layer lies behind what Stable Diffusion reads of a text encoder, so that it changes
/// nothing: the last layer of SDXL's first one, which training programs save all the same.
bool is_behind_output(const LoraLayer& layer, const BundleInfo& info) {
  constexpr std::string_view kLayers = "encoder_layers_";
  if (layer.part == LoraPart::kUNet || !layer.path.starts_with(kLayers)) return false;
  const char* const begin = layer.path.data() + kLayers.size();
  int index = 0;
  if (std::from_chars(begin, layer.path.data() + layer.path.size(), index).ec != std::errc()) {
    return false;
  }
  const std::size_t encoder = layer.part == LoraPart::kText ? 0 : 1;
  return encoder < info.text_encoders.size() && index == info.text_encoders[encoder].layers;
}

std::string size_text(const MatrixSize& size) {
  return std::to_string(size.rows) + " x " + std::to_string(size.columns);
}

std::string describe_shapes(const LoraLayer& layer, const LoraTarget& target) {
  std::int64_t columns = 1;
  for (std::size_t i = 1; i < target.shape.size(); ++i) columns *= target.shape[i];
  const std::int64_t rows = target.shape.empty() ? 1 : target.shape[0];
  return layer.name + ": expected " + size_text({rows * (target.third < 0 ? 1 : 3), columns}) +
         ", found " + size_text(lora_kind_row(layer.kind).find_size(layer));
}

/// "12 layers that the model does not have: a, b, c, …"
std::string describe_list(const std::string& what, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown)));
  for (std::string& name : first) name = in_quotes(name);
  return count_in_words(names.size(), "layer", "layers") + " " + what + ": " + join(first, ", ") +
         (names.size() > kShown ? ", …" : "");
}

}  // namespace

std::map<std::string, std::vector<LoraPatch>> pair_layers(const Lora& lora, LoraPart part,
                                                          const LoraTargets& targets,
                                                          const BundleInfo& info, LoraFit& fit) {
  std::map<std::string, std::vector<LoraPatch>> patches;
  for (const LoraLayer& layer : lora.layers) {
    if (layer.part != part) continue;
    const std::vector<LoraTarget>* const found = targets.find(layer.path);
    if (found == nullptr) {
      if (!is_behind_output(layer, info)) fit.not_there.push_back(layer.name);
      continue;
    }
    const auto misfit = std::ranges::find_if(*found, [&layer](const LoraTarget& target) {
      return !fits_weight(layer, target.shape, target.third);
    });
    if (misfit != found->end()) {
      fit.other_shape.push_back(describe_shapes(layer, *misfit));
      continue;
    }
    ++fit.layers;
    for (const LoraTarget& target : *found) {
      patches[target.parameter].push_back({&layer, target.third});
    }
  }
  return patches;
}

std::string describe_made_for(const Lora& lora) {
  if (const auto context = find_context_width(lora)) {
    const auto family = std::ranges::find(kFamilies, *context, &FamilyWidth::context);
    return family != std::end(kFamilies)
               ? std::string(family->name)
               : "a model whose UNet reads a context of width " + std::to_string(*context);
  }
  if (has_part(lora, LoraPart::kSecondText)) return "SDXL";
  if (const std::string_view stated = find_stated_family(lora); !stated.empty()) {
    return std::string(stated);
  }
  const auto width = find_text_width(lora, LoraPart::kText);
  if (!width) return "";
  const auto family = std::ranges::find(kFamilies, *width, &FamilyWidth::context);
  return family != std::end(kFamilies)
             ? std::string(family->name)
             : "a model whose text encoder has the width " + std::to_string(*width);
}

LoraFit fit_lora(const Lora& lora, const Bundle& bundle) {
  check_family(lora, bundle.info());
  LoraFit fit;
  for (const LoraPart part : {LoraPart::kUNet, LoraPart::kText, LoraPart::kSecondText}) {
    if (!has_part(lora, part)) continue;
    pair_layers(lora, part, list_lora_targets(bundle, part), bundle.info(), fit);
  }
  if (fit.layers > 0) return fit;
  const std::vector<std::string>& names = fit.not_there.empty() ? fit.other_shape : fit.not_there;
  refuse(lora, bundle.info(),
         names.empty() ? "it changes nothing that the model reads"
                       : "none of its layers fits, " + in_quotes(names.front()) + " for example");
}

std::vector<std::string> describe_misfits(const Lora& lora, const LoraFit& fit,
                                          const std::string& model) {
  std::vector<std::string> remarks;
  const std::string begin = lora.file.string() + ": ";
  if (!fit.not_there.empty()) {
    remarks.push_back(begin +
                      describe_list("that " + model + " does not have, left out", fit.not_there));
  }
  if (!fit.other_shape.empty()) {
    remarks.push_back(begin + describe_list("of another shape, left out", fit.other_shape));
  }
  if (!lora.unknown.empty()) {
    remarks.push_back(begin + count_in_words(lora.unknown.size(), "tensor", "tensors") +
                      " of unknown meaning, left out: " + in_quotes(lora.unknown.front()) +
                      (lora.unknown.size() > 1 ? ", …" : ""));
  }
  return remarks;
}

}  // namespace sdx
