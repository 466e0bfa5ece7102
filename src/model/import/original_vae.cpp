#include "model/import/original_vae.h"

#include "model/import/tensor_names.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kNormGroups = 32;

/// The autoencoder: sizes and new names.
class VaeReader {
 public:
  VaeReader(const TensorMap& tensors, std::string file)
      : tensors_(tensors), file_(std::move(file)) {}

  VaeConfig read_config() {
    config_.norm_groups = kNormGroups;
    config_.layers_per_level = count_indices(tensors_, "encoder.down.0.block.", ".conv1.weight");
    const int levels = count_indices(tensors_, "encoder.down.", ".block.0.conv1.weight");
    for (int level = 0; level < levels; ++level) {
      const std::string first = "encoder.down." + std::to_string(level) + ".block.0.conv1.weight";
      config_.channels.push_back(read_size(tensors_, first, 0, file_));
    }
    if (levels == 0) {
      throw DataError(file_ + ": tensor \"" + "encoder.down.0.block.0.conv1.weight\" is missing");
    }
    config_.middle_attention = holds(tensors_, "encoder.mid.attn_1.q.weight");
    return config_;
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
    const int levels = static_cast<int>(config_.channels.size());
    for (int level = 0; level < levels; ++level) {
      // The original counts the decoder's levels from the finest, diffusers from the coarsest.
      text = rename_beginning(text, {{"encoder.down." + std::to_string(level),
                                      "encoder.down_blocks." + std::to_string(level)},
                                     {"decoder.up." + std::to_string(level),
                                      "decoder.up_blocks." + std::to_string(levels - 1 - level)}});
    }
    return text;
  }

  const TensorMap& tensors_;
  std::string file_;
  VaeConfig config_;
};

}  // namespace

OriginalVae read_original_vae(const TensorMap& tensors, const std::string& file) {
  VaeReader reader(tensors, file);
  OriginalVae vae{reader.read_config(), {}, {}};
  reader.rename(vae);
  return vae;
}

}  // namespace sdx
