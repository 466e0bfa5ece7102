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
TensorMap clip_weights(const TensorMap& tensors, std::vector<std::string>& unused) {
  TensorMap result;
  for (const auto& [name, tensor] : without_prefix(tensors, kClipPrefix)) {
    const std::string inner = name.starts_with("text_model.") ? name.substr(11) : name;
    if (inner.ends_with("position_ids")) {
      unused.push_back(std::string(kClipPrefix) + name);
    } else {
      result[inner] = tensor;
    }
  }
  return result;
}

/// open_clip's text transformer under transformers' names. Stable Diffusion 2 reads its last layer
/// but one, so the last one is left out, as diffusers does.
TensorMap open_clip_weights(const TensorMap& tensors, const std::string& file,
                            std::vector<std::string>& unused) {
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
  for (const auto& [name, tensor] : own) {
    if (name.starts_with(last) || name == "text_projection" || name == "logit_scale") {
      unused.push_back(std::string(kOpenClipPrefix) + name);
      continue;
    }
    constexpr std::string_view kBlocks = "transformer.resblocks.";
    if (!name.starts_with(kBlocks)) {
      result[rename_beginning(name, kTables)] = tensor;
      continue;
    }
    const std::size_t dot = name.find('.', kBlocks.size());
    const std::string layer = "encoder.layers." + name.substr(kBlocks.size(), dot - kBlocks.size());
    const std::string leaf = name.substr(dot + 1);
    if (leaf == "attn.in_proj_weight" || leaf == "attn.in_proj_bias") {
      if (tensor.size(0) % 3 != 0) {
        throw DataError(file + ": tensor \"" + std::string(kOpenClipPrefix) + name +
                        "\": expected three matrices in one, found " +
                        std::to_string(tensor.size(0)) + " rows");
      }
      const auto parts = tensor.chunk(3, 0);
      const std::string kind = leaf.substr(leaf.rfind('_') + 1);
      result[layer + ".self_attn.q_proj." + kind] = parts[0];
      result[layer + ".self_attn.k_proj." + kind] = parts[1];
      result[layer + ".self_attn.v_proj." + kind] = parts[2];
    } else {
      result[layer + "." + rename_beginning(leaf, kLayer)] = tensor;
    }
  }
  return result;
}

}  // namespace

OriginalText read_original_text(const TensorMap& tensors, const std::string& file,
                                std::vector<std::string>& unused) {
  const bool open_clip = holds_prefix(tensors, kOpenClipPrefix);
  OriginalText text;
  text.is_open_clip = open_clip;
  text.tensors =
      open_clip ? open_clip_weights(tensors, file, unused) : clip_weights(tensors, unused);
  text.config = read_text_config(text.tensors, /*quick_gelu=*/!open_clip, file);
  return text;
}

}  // namespace sdx
