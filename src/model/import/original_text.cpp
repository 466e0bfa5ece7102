#include "model/import/original_text.h"

#include <algorithm>
#include <utility>

#include "model/import/tensor_names.h"
#include "sdx/tokenizer/settings.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kHeadWidth = 64;  ///< of every CLIP
constexpr std::string_view kProjection = "text_projection";

const Renames kOpenClipLayer = {{"ln_1", "layer_norm1"},
                                {"ln_2", "layer_norm2"},
                                {"attn.out_proj", "self_attn.out_proj"},
                                {"mlp.c_fc", "mlp.fc1"},
                                {"mlp.c_proj", "mlp.fc2"}};

TextEncoderConfig read_text_config(const TensorMap& tensors, bool quick_gelu,
                                   const std::string& file) {
  TextEncoderConfig config;
  config.vocabulary = read_size(tensors, "embeddings.token_embedding.weight", 0, file);
  config.width = read_size(tensors, "embeddings.token_embedding.weight", 1, file);
  config.positions = read_size(tensors, "embeddings.position_embedding.weight", 0, file);
  config.inner_width = read_size(tensors, "encoder.layers.0.mlp.fc1.weight", 0, file);
  config.layers = count_indices(tensors, "encoder.layers.", ".layer_norm1.weight");
  config.heads = std::max(config.width / kHeadWidth, 1);
  config.quick_gelu = quick_gelu;
  return config;
}

/// transformers' CLIPTextModel inside of the file.
CheckpointTextEncoder read_clip(const TensorMap& tensors, std::string_view prefix,
                                const std::string& file, std::vector<std::string>& unused) {
  CheckpointTextEncoder encoder{{}, {{}, file, {}}};
  for (const auto& [name, tensor] : without_prefix(tensors, prefix)) {
    const std::string inner = name.starts_with("text_model.") ? name.substr(11) : name;
    if (is_unused_in_clip(inner)) {
      unused.push_back(std::string(prefix) + name);
    } else {
      encoder.weights.tensors[inner] = tensor;
      encoder.weights.names[inner] = std::string(prefix) + name;
    }
  }
  encoder.config = read_text_config(encoder.weights.tensors, /*quick_gelu=*/true, file);
  return encoder;
}

/// open_clip multiplies rows with its projection from the right, a linear layer from the left.
/// Playground's file has a linear layer's, by a longer name.
at::Tensor as_linear_projection(const std::string& name, const at::Tensor& tensor) {
  return name == kProjection && tensor.dim() == 2 ? tensor.t() : tensor;
}

/// open_clip's text transformer under transformers' names. Stable Diffusion 2 reads its last layer
/// but one, through the final norm; the last one is left out, as diffusers does. Stable Diffusion
/// XL reads the same without the norm, and makes the pooled vector of the last one.
CheckpointTextEncoder read_open_clip(const TensorMap& tensors, std::string_view prefix,
                                     bool is_of_xl, const std::string& file,
                                     std::vector<std::string>& unused) {
  static const Renames kTables = {{"token_embedding", "embeddings.token_embedding"},
                                  {"positional_embedding", "embeddings.position_embedding.weight"},
                                  {"ln_final", "final_layer_norm"}};
  const TensorMap own = without_prefix(tensors, prefix);
  const int layers = count_indices(own, "transformer.resblocks.", ".ln_1.weight");
  if (layers < 2) {
    throw DataError(file + ": expected at least 2 layers \"" + std::string(prefix) +
                    "transformer.resblocks.*\", found " + std::to_string(layers));
  }
  const std::string last = "transformer.resblocks." + std::to_string(layers - 1) + ".";
  CheckpointTextEncoder encoder{{}, {{}, file, {}}};
  const auto add = [&](const std::string& new_name, const at::Tensor& tensor,
                       const std::string& name) {
    encoder.weights.tensors[new_name] = tensor;
    encoder.weights.names[new_name] = std::string(prefix) + name;
  };
  for (const auto& [name, tensor] : own) {
    if (is_of_xl && name.starts_with(kProjection)) {
      add("text_projection.weight", as_linear_projection(name, tensor), name);
      continue;
    }
    if ((!is_of_xl && name.starts_with(last)) || is_unused_in_clip(name)) {
      unused.push_back(std::string(prefix) + name);
      continue;
    }
    constexpr std::string_view kBlocks = "transformer.resblocks.";
    if (!name.starts_with(kBlocks)) {
      add(rename_beginning(name, kTables), tensor, name);
      continue;
    }
    const std::size_t dot = name.find('.', kBlocks.size());
    const std::string layer = "encoder.layers." + name.substr(kBlocks.size(), dot - kBlocks.size());
    const std::string leaf = name.substr(dot + 1);
    if (leaf == "attn.in_proj_weight" || leaf == "attn.in_proj_bias") {
      if (tensor.dim() == 0 || tensor.size(0) % 3 != 0) {
        throw DataError(file + ": tensor \"" + std::string(prefix) + name +
                        "\": expected three matrices in one, found " +
                        std::to_string(tensor.dim() == 0 ? 1 : tensor.size(0)) + " rows");
      }
      const auto parts = tensor.chunk(3, 0);
      const std::string kind = leaf.substr(leaf.rfind('_') + 1);
      add(layer + ".self_attn.q_proj." + kind, parts[0], name);
      add(layer + ".self_attn.k_proj." + kind, parts[1], name);
      add(layer + ".self_attn.v_proj." + kind, parts[2], name);
    } else {
      add(layer + "." + rename_beginning(leaf, kOpenClipLayer), tensor, name);
    }
  }
  encoder.config = read_text_config(encoder.weights.tensors, /*quick_gelu=*/false, file);
  if (is_of_xl) {
    encoder.config.norms_output = false;
    encoder.config.pooled_width =
        read_size(encoder.weights.tensors, "text_projection.weight", 0, file);
  }
  return encoder;
}

}  // namespace

bool is_unused_in_clip(std::string_view name) {
  static constexpr std::string_view kBeginnings[] = {"logit_scale", "text_projection", "visual",
                                                     "vision_model.", "attn_mask"};
  return name.ends_with("position_ids") ||
         std::ranges::any_of(kBeginnings, [name](std::string_view beginning) {
           return name.starts_with(beginning);
         });
}

const Renames& open_clip_layer_renames() { return kOpenClipLayer; }

bool holds_text_of_xl(const TensorMap& tensors) {
  return holds_prefix(tensors, "conditioner.embedders.");
}

void cut_first_of_xl(CheckpointTextEncoder& encoder, std::vector<std::string>& unused) {
  const std::string last = "encoder.layers." + std::to_string(encoder.config.layers - 1) + ".";
  std::erase_if(encoder.weights.tensors, [&](const auto& entry) {
    const std::string& name = entry.first;
    if (!name.starts_with(last) && !name.starts_with("final_layer_norm.")) return false;
    const auto in_file = encoder.weights.names.find(name);
    unused.push_back(in_file == encoder.weights.names.end() ? name : in_file->second);
    return true;
  });
  --encoder.config.layers;
  encoder.config.norms_output = false;
}

std::vector<CheckpointTextEncoder> read_original_text(const TensorMap& tensors,
                                                      const std::string& file,
                                                      std::vector<std::string>& unused) {
  if (!holds_text_of_xl(tensors)) {
    return {holds_prefix(tensors, kOpenClipPrefix)
                ? read_open_clip(tensors, kOpenClipPrefix, /*is_of_xl=*/false, file, unused)
                : read_clip(tensors, kClipPrefix, file, unused)};
  }
  for (const std::string_view prefix : {kFirstOfXlPrefix, kSecondOfXlPrefix}) {
    if (holds_prefix(tensors, prefix)) continue;
    throw DataError(file + ": expected the two text encoders of Stable Diffusion XL, found no " +
                    "tensor \"" + std::string(prefix) + "*\"");
  }
  CheckpointTextEncoder first = read_clip(tensors, kFirstOfXlPrefix, file, unused);
  cut_first_of_xl(first, unused);
  CheckpointTextEncoder second =
      read_open_clip(tensors, kSecondOfXlPrefix, /*is_of_xl=*/true, file, unused);
  second.pad = clip_settings(ClipPadding::kExclamationMark).special_tokens.pad;
  return {std::move(first), std::move(second)};
}

}  // namespace sdx
