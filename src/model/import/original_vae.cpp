#include "model/import/original_vae.h"

#include "model/import/tensor_names.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kNormGroups = 32;

/// New names for the tensors of an autoencoder.
class VaeReader {
 public:
  VaeReader(const TensorMap& tensors, const std::string& file)
      : tensors_(tensors),
        levels_(count_indices(tensors_, "encoder.down.", ".block.0.conv1.weight")) {
    if (levels_ > 0) return;
    throw DataError(file + ": tensor \"encoder.down.0.block.0.conv1.weight\" is missing");
  }

  void rename(OriginalVae& vae) const {
    for (const auto& [name, tensor] : tensors_) {
      const std::string renamed = new_name(name);
      // Attention's projections are 1 x 1 convolutions in the original, linear layers here.
      const bool projection = renamed.find(".attentions.") != std::string::npos &&
                              tensor.dim() == 4 && tensor.size(2) == 1 && tensor.size(3) == 1;
      // A reshape: a tensor of PyTorch's files need not be contiguous.
      vae.tensors[renamed] = projection ? tensor.reshape({tensor.size(0), tensor.size(1)}) : tensor;
      vae.names[renamed] = std::string(kVaePrefix) + name;
    }
  }

 private:
  std::string new_name(const std::string& name) const {
    static const Renames kLeaves = {{".nin_shortcut.", ".conv_shortcut."},
                                    {".norm_out.", ".conv_norm_out."},
                                    {".mid.block_1.", ".mid_block.resnets.0."},
                                    {".mid.block_2.", ".mid_block.resnets.1."},
                                    {".mid.attn_1.norm.", ".mid_block.attentions.0.group_norm."},
                                    {".mid.attn_1.q.", ".mid_block.attentions.0.to_q."},
                                    {".mid.attn_1.k.", ".mid_block.attentions.0.to_k."},
                                    {".mid.attn_1.v.", ".mid_block.attentions.0.to_v."},
                                    {".mid.attn_1.proj_out.", ".mid_block.attentions.0.to_out.0."},
                                    {".block.", ".resnets."},
                                    {".downsample.", ".downsamplers.0."},
                                    {".upsample.", ".upsamplers.0."}};
    std::string text = name;
    for (const auto& [from, to] : kLeaves) {
      if (const auto at = text.find(from); at != std::string::npos) {
        text.replace(at, from.size(), to);
      }
    }
    for (int level = 0; level < levels_; ++level) {
      // The original counts the decoder's levels from the finest, diffusers from the coarsest.
      text = rename_beginning(text, {{"encoder.down." + std::to_string(level),
                                      "encoder.down_blocks." + std::to_string(level)},
                                     {"decoder.up." + std::to_string(level),
                                      "decoder.up_blocks." + std::to_string(levels_ - 1 - level)}});
    }
    return text;
  }

  const TensorMap& tensors_;
  int levels_;
};

}  // namespace

VaeConfig read_vae_shapes(const TensorMap& tensors, const std::string& file) {
  const auto first = [](int level) {
    return "encoder.down_blocks." + std::to_string(level) + ".resnets.0.conv1.weight";
  };
  VaeConfig config;
  config.norm_groups = kNormGroups;
  config.layers_per_level =
      count_indices(tensors, "encoder.down_blocks.0.resnets.", ".conv1.weight");
  do {
    const int level = static_cast<int>(config.channels.size());
    config.channels.push_back(read_size(tensors, first(level), 0, file));
  } while (holds(tensors, first(static_cast<int>(config.channels.size()))));
  config.latent_channels = read_size(tensors, "post_quant_conv.weight", 0, file);
  config.middle_attention = holds(tensors, "encoder.mid_block.attentions.0.to_q.weight");
  return config;
}

OriginalVae read_original_vae(const TensorMap& tensors, const std::string& file) {
  OriginalVae vae;
  VaeReader(tensors, file).rename(vae);
  vae.config = read_vae_shapes(vae.tensors, file);
  return vae;
}

}  // namespace sdx
