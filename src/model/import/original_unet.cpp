#include "model/import/original_unet.h"

#include <algorithm>
#include <utility>

#include "model/import/tensor_names.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kNormGroups = 32;
constexpr int kStableDiffusion1Heads = 8;  ///< at every level
constexpr int kStableDiffusion2HeadWidth = 64;

const Renames kResnetRenames = {
    {"in_layers.0", "norm1"},          {"in_layers.2", "conv1"},
    {"out_layers.0", "norm2"},         {"out_layers.3", "conv2"},
    {"emb_layers.1", "time_emb_proj"}, {"skip_connection", "conv_shortcut"},
};

const Renames kEndRenames = {{"time_embed.0", "time_embedding.linear_1"},
                             {"time_embed.2", "time_embedding.linear_2"},
                             {"label_emb.0.0", "add_embedding.linear_1"},
                             {"label_emb.0.2", "add_embedding.linear_2"},
                             {"input_blocks.0.0", "conv_in"},
                             {"out.0", "conv_norm_out"},
                             {"out.2", "conv_out"}};

/// The UNet's blocks in the original's numbering, walked in order: sizes and new names.
class UNetReader {
 public:
  UNetReader(const TensorMap& tensors, std::string file)
      : tensors_(tensors), file_(std::move(file)) {}

  UNetConfig read_config() {
    walk_down();
    walk_middle();
    walk_up();
    config_.norm_groups = kNormGroups;
    config_.in_channels = read_size(tensors_, "input_blocks.0.0.weight", 1, file_);
    config_.out_channels = read_size(tensors_, "out.2.weight", 0, file_);
    if (holds(tensors_, "label_emb.0.0.weight")) read_pooled_width();
    for (const int channels : config_.channels) {
      config_.level_heads.push_back(config_.linear_projection
                                        ? std::max(channels / kStableDiffusion2HeadWidth, 1)
                                        : kStableDiffusion1Heads);
    }
    return config_;
  }

  void rename(OriginalUNet& unet) const {
    for (const auto& [name, tensor] : tensors_) {
      const std::string renamed = new_name(name);
      unet.tensors[renamed] = tensor;
      unet.names[renamed] = std::string(kUNetPrefix) + name;
    }
  }

 private:
  void walk_down() {
    blocks_ = kEndRenames;
    bool starts_level = true;
    int layer = 0;
    for (int index = 1;; ++index) {
      const std::string block = "input_blocks." + std::to_string(index);
      if (holds(tensors_, block + ".0.op.weight")) {
        blocks_.emplace_back(block + ".0.op", down_block() + ".downsamplers.0.conv");
        starts_level = true;
        continue;
      }
      if (!holds(tensors_, block + ".0.in_layers.2.weight")) break;
      if (std::exchange(starts_level, false)) {
        config_.channels.push_back(read_size(tensors_, block + ".0.in_layers.2.weight", 0, file_));
        config_.down_depths.emplace_back();
        layer = 0;
      }
      const std::string down = down_block();
      resnets_.emplace_back(block + ".0", down + ".resnets." + std::to_string(layer));
      config_.down_depths.back().push_back(
          add_transformer(block + ".1", down + ".attentions." + std::to_string(layer)));
      ++layer;
    }
    config_.layers_per_level = layer;
    if (config_.channels.empty()) {
      throw DataError(file_ + ": tensor \"input_blocks.1.0.in_layers.2.weight\" is missing");
    }
  }

  void walk_middle() {
    config_.middle_depth = std::nullopt;
    if (!holds_prefix(tensors_, "middle_block.")) return;
    resnets_.emplace_back("middle_block.0", "mid_block.resnets.0");
    config_.middle_depth = add_transformer("middle_block.1", "mid_block.attentions.0");
    resnets_.emplace_back("middle_block.2", "mid_block.resnets.1");
  }

  void walk_up() {
    const int layers = config_.layers_per_level + 1;
    config_.up_depths.resize(config_.channels.size());
    for (int index = 0; index <= level() * layers + layers - 1; ++index) {
      const std::string block = "output_blocks." + std::to_string(index);
      const std::string up = "up_blocks." + std::to_string(index / layers);
      const std::string layer = std::to_string(index % layers);
      resnets_.emplace_back(block + ".0", up + ".resnets." + layer);
      config_.up_depths[static_cast<std::size_t>(level() - index / layers)].push_back(
          add_transformer(block + ".1", up + ".attentions." + layer));
      for (const char* place : {".1.conv", ".2.conv"}) {
        if (holds(tensors_, block + place + ".weight")) {
          blocks_.emplace_back(block + place, up + ".upsamplers.0.conv");
        }
      }
    }
  }

  void read_pooled_width() {
    constexpr int kIdsWidth = kSizeIds * kSizeIdWidth;
    config_.pooled_width = read_size(tensors_, "label_emb.0.0.weight", 1, file_) - kIdsWidth;
    if (config_.pooled_width > 0) return;
    throw DataError(file_ + ": tensor \"label_emb.0.0.weight\": expected more than " +
                    std::to_string(kIdsWidth) + " columns, found " +
                    std::to_string(config_.pooled_width + kIdsWidth));
  }

  /// Of the sizes that all have, those of the last one count; the composer finds any that differs.
  /// @return its depth; 0 if there is none.
  int add_transformer(const std::string& from, const std::string& to) {
    const std::string first = from + ".transformer_blocks.";
    if (!holds_prefix(tensors_, first)) return 0;
    blocks_.emplace_back(from, to);
    config_.context_width = read_size(tensors_, first + "0.attn2.to_k.weight", 1, file_);
    const auto projection = tensors_.find(from + ".proj_in.weight");
    config_.linear_projection = projection != tensors_.end() && projection->second.dim() == 2;
    return count_indices(tensors_, first, ".norm1.weight");
  }

  std::string new_name(const std::string& name) const {
    for (const auto& [from, to] : resnets_) {
      if (name.starts_with(from + ".")) {
        return to + "." + rename_beginning(name.substr(from.size() + 1), kResnetRenames);
      }
    }
    return rename_beginning(name, blocks_);
  }

  int level() const { return static_cast<int>(config_.channels.size()) - 1; }
  std::string down_block() const { return "down_blocks." + std::to_string(level()); }

  const TensorMap& tensors_;
  std::string file_;
  UNetConfig config_;
  Renames blocks_;
  Renames resnets_;
};

}  // namespace

OriginalUNet read_original_unet(const TensorMap& tensors, const std::string& file) {
  UNetReader reader(tensors, file);
  OriginalUNet unet{reader.read_config(), {}, {}};
  reader.rename(unet);
  return unet;
}

const Renames& original_resnet_renames() { return kResnetRenames; }

const Renames& original_end_renames() { return kEndRenames; }

std::map<std::string, std::string> list_names_without_dots() {
  constexpr int kMostBlocks = 40;
  constexpr int kMostDepth = 10;
  std::vector<std::string> layers = {"norm", "proj_in", "proj_out", "op", "conv"};
  for (const auto& [from, to] : kResnetRenames) layers.push_back(from);
  for (int depth = 0; depth < kMostDepth; ++depth) {
    const std::string block = "transformer_blocks." + std::to_string(depth) + ".";
    for (const char* layer :
         {"attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "attn2.to_k",
          "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3"}) {
      layers.push_back(block + layer);
    }
  }
  std::vector<std::string> paths = {"time_embed.0", "time_embed.2", "input_blocks.0.0", "out.0",
                                    "out.2"};
  for (int index = 0; index < kMostBlocks; ++index) {
    for (const char* group : {"input_blocks.", "output_blocks.", "middle_block"}) {
      const bool is_middle = group == std::string_view("middle_block");
      if (is_middle && index > 0) continue;
      const std::string block = group + (is_middle ? "" : std::to_string(index));
      for (const char* part : {".0.", ".1.", ".2."}) {
        for (const std::string& layer : layers) paths.push_back(block + part + layer);
      }
    }
  }
  std::map<std::string, std::string> names;
  for (const std::string& path : paths) {
    for (const char* leaf : {".weight", ".bias"}) {
      std::string flat = path + leaf;
      std::erase(flat, '.');
      names[flat] = path + leaf;
    }
  }
  return names;
}

}  // namespace sdx
