#include "model/import/original_text.h"

#include <algorithm>

#include "model/import/tensor_names.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kHeadWidth = 64;  ///< of every CLIP

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
TensorMap clip_weights(const TensorMap& tensors, std::vector<std::string>& unused,
                       FileNames& names) {
  TensorMap result;
  for (const auto& [name, tensor] : without_prefix(tensors, kClipPrefix)) {
    const std::string inner = name.starts_with("text_model.") ? name.substr(11) : name;
    if (is_unused_in_clip(inner)) {
      unused.push_back(std::string(kClipPrefix) + name);
    } else {
      result[inner] = tensor;
      names[inner] = std::string(kClipPrefix) + name;
    }
  }
  return result;
}

/// open_clip's text transformer under transformers' names. Stable Diffusion 2 reads its last layer
/// but one, so the last one is left out, as diffusers does.
TensorMap open_clip_weights(const TensorMap& tensors, const std::string& file,
                            std::vector<std::string>& unused, FileNames& names) {
  static const Renames kTables = {{"token_embedding", "embeddings.token_embedding"},
                                  {"positional_embedding", "embeddings.position_embedding.weight"},
                                  {"ln_final", "final_layer_norm"}};
  static const Renames kLayer = {{"ln_1", "layer_norm1"},
                                 {"ln_2", "layer_norm2"},
                                 {"attn.out_proj", "self_attn.out_proj"},
                                 {"mlp.c_fc", "mlp.fc1"},
                                 {"mlp.c_proj", "mlp.fc2"}};
  const TensorMap own = without_prefix(tensors, kOpenClipPrefix);
  const int layers = count_indices(own, "transformer.resblocks.", ".ln_1.weight");
  if (layers < 2) {
    throw DataError(file + ": expected at least 2 layers \"" + std::string(kOpenClipPrefix) +
                    "transformer.resblocks.*\", found " + std::to_string(layers));
  }
  const std::string last = "transformer.resblocks." + std::to_string(layers - 1) + ".";
  TensorMap result;
  const auto add = [&](const std::string& new_name, const at::Tensor& tensor,
                       const std::string& name) {
    result[new_name] = tensor;
    names[new_name] = std::string(kOpenClipPrefix) + name;
  };
  for (const auto& [name, tensor] : own) {
    if (name.starts_with(last) || is_unused_in_clip(name)) {
      unused.push_back(std::string(kOpenClipPrefix) + name);
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
        throw DataError(file + ": tensor \"" + std::string(kOpenClipPrefix) + name +
                        "\": expected three matrices in one, found " +
                        std::to_string(tensor.dim() == 0 ? 1 : tensor.size(0)) + " rows");
      }
      const auto parts = tensor.chunk(3, 0);
      const std::string kind = leaf.substr(leaf.rfind('_') + 1);
      add(layer + ".self_attn.q_proj." + kind, parts[0], name);
      add(layer + ".self_attn.k_proj." + kind, parts[1], name);
      add(layer + ".self_attn.v_proj." + kind, parts[2], name);
    } else {
      add(layer + "." + rename_beginning(leaf, kLayer), tensor, name);
    }
  }
  return result;
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

OriginalText read_original_text(const TensorMap& tensors, const std::string& file,
                                std::vector<std::string>& unused) {
  const bool open_clip = holds_prefix(tensors, kOpenClipPrefix);
  OriginalText text;
  text.is_open_clip = open_clip;
  text.tensors = open_clip ? open_clip_weights(tensors, file, unused, text.names)
                           : clip_weights(tensors, unused, text.names);
  text.config = read_text_config(text.tensors, /*quick_gelu=*/!open_clip, file);
  return text;
}

}  // namespace sdx
