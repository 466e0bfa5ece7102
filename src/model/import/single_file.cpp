#include "model/import/single_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/import/tensor_file.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kUNetPrefix = "model.diffusion_model.";
constexpr std::string_view kVaePrefix = "first_stage_model.";
constexpr std::string_view kClipPrefix = "cond_stage_model.transformer.";
constexpr std::string_view kOpenClipPrefix = "cond_stage_model.model.";
constexpr int kNormGroups = 32;
constexpr int kStableDiffusion1Heads = 8;
constexpr int kHeadWidth = 64;  ///< of Stable Diffusion 2's UNet and of every CLIP

bool holds(const TensorMap& tensors, const std::string& name) { return tensors.contains(name); }

bool holds_prefix(const TensorMap& tensors, std::string_view prefix) {
  const auto next = tensors.lower_bound(std::string(prefix));
  return next != tensors.end() && next->first.starts_with(prefix);
}

/// The tensors under a prefix, without it.
TensorMap without_prefix(const TensorMap& tensors, std::string_view prefix) {
  TensorMap result;
  for (auto it = tensors.lower_bound(std::string(prefix));
       it != tensors.end() && it->first.starts_with(prefix); ++it) {
    result[it->first.substr(prefix.size())] = it->second;
  }
  return result;
}

/// One size of a tensor that says how large the model is.
int size_of(const TensorMap& tensors, const std::string& name, std::int64_t dimension,
            const std::string& file) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw DataError(file + ": tensor \"" + name + "\" is missing");
  if (found->second.dim() <= dimension) {
    throw DataError(file + ": tensor \"" + name + "\": expected more than " +
                    std::to_string(dimension) + " dimensions, found " +
                    std::to_string(found->second.dim()));
  }
  return static_cast<int>(found->second.size(dimension));
}

int count_indices(const TensorMap& tensors, const std::string& before, const std::string& after) {
  int count = 0;
  while (holds(tensors, before + std::to_string(count) + after)) ++count;
  return count;
}

/// Old names (or beginnings of names) and what takes their place.
using Renames = std::vector<std::pair<std::string, std::string>>;

/// Replaces the first rename whose old name begins the text, at a boundary between components.
std::string rename_beginning(const std::string& name, const Renames& renames) {
  for (const auto& [from, to] : renames) {
    if (name.starts_with(from) && (name.size() == from.size() || name[from.size()] == '.')) {
      return to + name.substr(from.size());
    }
  }
  return name;
}

const Renames kResnetRenames = {
    {"in_layers.0", "norm1"},          {"in_layers.2", "conv1"},
    {"out_layers.0", "norm2"},         {"out_layers.3", "conv2"},
    {"emb_layers.1", "time_emb_proj"}, {"skip_connection", "conv_shortcut"},
};

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
    for (const int channels : config_.channels) {
      config_.level_heads.push_back(config_.linear_projection ? std::max(channels / kHeadWidth, 1)
                                                              : kStableDiffusion1Heads);
    }
    return config_;
  }

  TensorMap renamed() const {
    TensorMap result;
    for (const auto& [name, tensor] : tensors_) result[new_name(name)] = tensor;
    return result;
  }

 private:
  void walk_down() {
    blocks_ = {{"time_embed.0", "time_embedding.linear_1"},
               {"time_embed.2", "time_embedding.linear_2"},
               {"input_blocks.0.0", "conv_in"},
               {"out.0", "conv_norm_out"},
               {"out.2", "conv_out"}};
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
        config_.channels.push_back(size_of(tensors_, block + ".0.in_layers.2.weight", 0, file_));
        config_.level_attention.push_back(holds(tensors_, block + ".1.norm.weight"));
        layer = 0;
      }
      const std::string down = down_block();
      resnets_.emplace_back(block + ".0", down + ".resnets." + std::to_string(layer));
      if (holds(tensors_, block + ".1.norm.weight")) {
        add_transformer(block + ".1", down + ".attentions." + std::to_string(layer));
      }
      ++layer;
    }
    config_.layers_per_level = layer;
    if (config_.channels.empty()) {
      throw DataError(file_ + ": tensor \"" + std::string(kUNetPrefix) +
                      "input_blocks.1.0.in_layers.2.weight\" is missing");
    }
  }

  void walk_middle() {
    resnets_.emplace_back("middle_block.0", "mid_block.resnets.0");
    add_transformer("middle_block.1", "mid_block.attentions.0");
    resnets_.emplace_back("middle_block.2", "mid_block.resnets.1");
  }

  void walk_up() {
    const int layers = config_.layers_per_level + 1;
    for (int index = 0; index <= level() * layers + layers - 1; ++index) {
      const std::string block = "output_blocks." + std::to_string(index);
      const std::string up = "up_blocks." + std::to_string(index / layers);
      const std::string layer = std::to_string(index % layers);
      resnets_.emplace_back(block + ".0", up + ".resnets." + layer);
      if (holds(tensors_, block + ".1.norm.weight")) {
        blocks_.emplace_back(block + ".1", up + ".attentions." + layer);
      }
      for (const char* place : {".1.conv", ".2.conv"}) {
        if (holds(tensors_, block + place + ".weight")) {
          blocks_.emplace_back(block + place, up + ".upsamplers.0.conv");
        }
      }
    }
  }

  /// The last transformer walked tells the sizes; the composer finds any that differs.
  void add_transformer(const std::string& from, const std::string& to) {
    blocks_.emplace_back(from, to);
    const std::string first = from + ".transformer_blocks.";
    config_.transformer_depth = count_indices(tensors_, first, ".norm1.weight");
    config_.context_width = size_of(tensors_, first + "0.attn2.to_k.weight", 1, file_);
    config_.linear_projection = tensors_.at(from + ".norm.weight").dim() == 1 &&
                                holds(tensors_, from + ".proj_in.weight") &&
                                tensors_.at(from + ".proj_in.weight").dim() == 2;
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
      config_.channels.push_back(size_of(tensors_, first, 0, file_));
    }
    if (levels == 0) {
      throw DataError(file_ + ": tensor \"" + std::string(kVaePrefix) +
                      "encoder.down.0.block.0.conv1.weight\" is missing");
    }
    config_.middle_attention = holds(tensors_, "encoder.mid.attn_1.q.weight");
    return config_;
  }

  TensorMap renamed() const {
    TensorMap result;
    for (const auto& [name, tensor] : tensors_) {
      const std::string renamed = new_name(name);
      // Attention's projections are 1 x 1 convolutions in the original, linear layers here.
      const bool projection = renamed.find(".attentions.") != std::string::npos &&
                              tensor.dim() == 4 && tensor.size(2) == 1 && tensor.size(3) == 1;
      result[renamed] = projection ? tensor.view({tensor.size(0), tensor.size(1)}) : tensor;
    }
    return result;
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

TextEncoderConfig text_config_of(const TensorMap& tensors, bool quick_gelu,
                                 const std::string& file) {
  TextEncoderConfig config;
  config.vocabulary = size_of(tensors, "embeddings.token_embedding.weight", 0, file);
  config.width = size_of(tensors, "embeddings.token_embedding.weight", 1, file);
  config.positions = size_of(tensors, "embeddings.position_embedding.weight", 0, file);
  config.inner_width = size_of(tensors, "encoder.layers.0.mlp.fc1.weight", 0, file);
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

/// The smoothed weights of the training, where the file has them, in the place of the last ones.
/// Their names are those of the UNet without dots.
void prefer_averaged_weights(TensorMap& tensors, Checkpoint& checkpoint) {
  constexpr std::string_view kAverage = "model_ema.";
  if (!holds_prefix(tensors, "model_ema.diffusion_model")) return;
  int replaced = 0;
  for (auto& [name, tensor] : tensors) {
    if (!name.starts_with(kUNetPrefix)) continue;
    std::string flat = name.substr(std::string_view("model.").size());
    flat.erase(std::remove(flat.begin(), flat.end(), '.'), flat.end());
    const auto average = tensors.find(std::string(kAverage) + flat);
    if (average == tensors.end()) continue;
    tensor = average->second;
    ++replaced;
  }
  std::erase_if(tensors, [&](const auto& entry) { return entry.first.starts_with(kAverage); });
  checkpoint.remarks.push_back(
      "The averaged (EMA) weights of the UNet are used: " + std::to_string(replaced) + " tensors.");
}

/// What a file is that is no Stable Diffusion 1 or 2, or nothing.
std::string what_else_it_is(const TensorMap& tensors) {
  const auto has_in_name = [&tensors](std::string_view part) {
    return std::any_of(tensors.begin(), tensors.end(), [part](const auto& entry) {
      return entry.first.find(part) != std::string::npos;
    });
  };
  if (holds_prefix(tensors, "conditioner.embedders.") ||
      holds_prefix(tensors, "model.diffusion_model.label_emb.")) {
    return "Stable Diffusion XL, which comes in a later version";
  }
  if (has_in_name("joint_blocks.")) return "Stable Diffusion 3";
  if (has_in_name("double_blocks.")) return "Flux";
  if (has_in_name("lora_down") || has_in_name("lora_up") || has_in_name("lora_A") ||
      has_in_name(".lora.")) {
    return "a LoRA, which changes a model but is none";
  }
  if (has_in_name("control_model.") || holds_prefix(tensors, "input_hint_block.")) {
    return "a ControlNet";
  }
  if (holds_prefix(tensors, "down_blocks.")) {
    return "the UNet of a model in diffusers' layout; give the folder that holds model_index.json";
  }
  const bool has_vae = holds_prefix(tensors, kVaePrefix) ||
                       (holds_prefix(tensors, "encoder.") && holds_prefix(tensors, "decoder."));
  if (has_vae && !holds_prefix(tensors, kUNetPrefix)) return "a VAE without a UNet";
  if (holds(tensors, "emb_params") || has_in_name("string_to_param")) return "an embedding";
  return "";
}

void require_stable_diffusion(const TensorMap& tensors, const std::string& file) {
  const std::string expected = "expected a whole Stable Diffusion 1 or 2 checkpoint";
  if (const std::string other = what_else_it_is(tensors); !other.empty()) {
    throw DataError(file + ": this is " + other + "; " + expected);
  }
  for (const std::string_view prefix : {kUNetPrefix, kVaePrefix}) {
    if (!holds_prefix(tensors, prefix)) {
      throw DataError(file + ": " + expected + ", found no tensor \"" + std::string(prefix) +
                      "*\" among " + std::to_string(tensors.size()));
    }
  }
  if (!holds_prefix(tensors, kClipPrefix) && !holds_prefix(tensors, kOpenClipPrefix)) {
    throw DataError(file + ": " + expected + ", found no text encoder (\"" +
                    std::string(kClipPrefix) + "*\" or \"" + std::string(kOpenClipPrefix) + "*\")");
  }
  const std::string first = std::string(kUNetPrefix) + "input_blocks.0.0.weight";
  const int in_channels = size_of(tensors, first, 1, file);
  if (in_channels == 4) return;
  const std::string kind = in_channels == 9   ? "an inpainting model"
                           : in_channels == 8 ? "an image-editing model (InstructPix2Pix)"
                           : in_channels == 5 ? "a depth-guided model"
                                              : "an unknown variant";
  throw DataError(file + ": this is " + kind + ": its UNet reads " + std::to_string(in_channels) +
                  " channels, expected 4");
}

/// What training code leaves in a checkpoint beside the model: constants of the noise schedule that
/// follow from the betas, and counters.
bool is_of_the_training(const std::string& name) {
  static constexpr std::array<std::string_view, 3> kBeginnings = {"model_ema.", "loss.",
                                                                  "optimizer"};
  if (name.find("position_ids") != std::string::npos) return true;
  if (std::any_of(kBeginnings.begin(), kBeginnings.end(),
                  [&name](std::string_view beginning) { return name.starts_with(beginning); })) {
    return true;
  }
  return name.find('.') == std::string::npos;  // betas, alphas_cumprod, scale_factor, …
}

/// Stable Diffusion 2 comes in two kinds with the same shapes; only hints tell them apart.
void decide_prediction(const TensorFile& content, std::optional<PredictionType> chosen,
                       Checkpoint& checkpoint) {
  const auto stated = content.metadata.find("modelspec.prediction_type");
  const bool is_second = checkpoint.unet_config.linear_projection;
  PredictionType type = is_second ? PredictionType::kVelocity : PredictionType::kEpsilon;
  if (chosen) {
    type = *chosen;
  } else if (stated != content.metadata.end()) {
    type = stated->second.starts_with("v") ? PredictionType::kVelocity : PredictionType::kEpsilon;
    checkpoint.remarks.push_back(
        "Prediction type by the file's metadata: " + std::string(to_string(type)) + ".");
  } else if (content.tensors.contains("v_pred")) {
    type = PredictionType::kVelocity;
    checkpoint.remarks.push_back("Prediction type by the file's mark \"v_pred\": v_prediction.");
  } else if (is_second && content.global_step) {
    // Of the published models only the 512 px "base" one of version 2.1 stopped here.
    constexpr std::int64_t kBaseModelStep = 875'000;
    if (content.global_step == kBaseModelStep) type = PredictionType::kEpsilon;
    checkpoint.remarks.push_back("Prediction type by the file's count of training steps (" +
                                 std::to_string(*content.global_step) +
                                 "): " + std::string(to_string(type)) + ".");
  } else if (is_second) {
    checkpoint.remarks.push_back(
        "The file does not say what its UNet predicts; taken for Stable Diffusion 2 at 768 px, "
        "v_prediction. If pictures are noise: --prediction epsilon (the 512 px \"base\" models).");
  }
  checkpoint.noise_schedule.prediction_type = type;
  checkpoint.native_size_px = is_second && type == PredictionType::kVelocity ? 768 : 512;
}

}  // namespace

Checkpoint read_single_file(const fs::path& path, const ImportOptions& options) {
  TensorFile content = map_tensor_file(path);
  TensorMap& tensors = content.tensors;
  const std::string file = path.string();
  require_stable_diffusion(tensors, file);

  Checkpoint checkpoint;
  if (content.source) checkpoint.files = {*content.source};
  prefer_averaged_weights(tensors, checkpoint);

  const bool open_clip = holds_prefix(tensors, kOpenClipPrefix);
  checkpoint.text_encoder = {open_clip ? open_clip_weights(tensors, file, checkpoint.unused)
                                       : clip_weights(tensors, checkpoint.unused),
                             file};
  checkpoint.text_config =
      text_config_of(checkpoint.text_encoder.tensors, /*quick_gelu=*/!open_clip, file);

  const TensorMap unet = without_prefix(tensors, kUNetPrefix);
  UNetReader unet_reader(unet, file);
  checkpoint.unet_config = unet_reader.read_config();
  checkpoint.unet = {unet_reader.renamed(), file};

  const TensorMap vae = without_prefix(tensors, kVaePrefix);
  VaeReader vae_reader(vae, file);
  checkpoint.vae_config = vae_reader.read_config();
  checkpoint.vae = {vae_reader.renamed(), file};

  for (const auto& [name, tensor] : tensors) {
    const bool is_of_a_part = name.starts_with(kUNetPrefix) || name.starts_with(kVaePrefix) ||
                              name.starts_with(kClipPrefix) || name.starts_with(kOpenClipPrefix);
    if (is_of_a_part) continue;
    if (!is_of_the_training(name)) {
      throw DataError(file + ": tensor \"" + name +
                      "\" is unknown: this anatomy has no place for it");
    }
    checkpoint.unused.push_back(name);
  }
  decide_prediction(content, options.prediction, checkpoint);
  // Single files bring no vocabulary; all of them were trained with CLIP's.
  checkpoint.tokenizer_folder = data_folder() / "tokenizers/clip";
  checkpoint.tokenizer =
      clip_settings(open_clip ? ClipPadding::kExclamationMark : ClipPadding::kEndOfText);
  return checkpoint;
}

}  // namespace sdx
