#include "model/lora/lora_targets.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

#include "model/import/original_text.h"
#include "model/import/original_unet.h"
#include "model/weight_source.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr std::string_view kWeight = ".weight";

std::string flat(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

/// The new name of what begins with a rename's second half.
std::optional<std::string> rename_back(std::string_view name, const Renames& renames) {
  for (const auto& [original, ours] : renames) {
    if (name.starts_with(ours) && (name.size() == ours.size() || name[ours.size()] == '.')) {
      return original + std::string(name.substr(ours.size()));
    }
  }
  return std::nullopt;
}

/// A name cut at its dots as far as it has blocks: "down_blocks.1.resnets.0" and the rest.
struct BlockName {
  std::string_view group;  ///< "down_blocks", "mid_block", "up_blocks"
  int block = 0;
  std::string_view list;  ///< "resnets", "attentions", "downsamplers", "upsamplers"
  int index = 0;
  std::string_view rest;
};

std::string_view take_piece(std::string_view& text) {
  const std::size_t end = std::min(text.find('.'), text.size());
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

std::optional<int> take_index(std::string_view& text) {
  const std::string_view piece = take_piece(text);
  int index = 0;
  const auto read = std::from_chars(piece.data(), piece.data() + piece.size(), index);
  if (read.ec != std::errc() || read.ptr != piece.data() + piece.size()) return std::nullopt;
  return index;
}

std::optional<BlockName> parse_block_name(std::string_view name) {
  BlockName parsed;
  parsed.group = take_piece(name);
  if (parsed.group != "mid_block") {
    const auto block = take_index(name);
    if (!block) return std::nullopt;
    parsed.block = *block;
  }
  parsed.list = take_piece(name);
  const auto index = take_index(name);
  if (!index) return std::nullopt;
  parsed.index = *index;
  parsed.rest = name;
  return parsed;
}

/// The UNet's blocks by diffusers' names, as the original counts them through.
class OriginalNumbers {
 public:
  explicit OriginalNumbers(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const auto parsed = parse_block_name(name);
      if (!parsed) continue;
      if (parsed->group == "down_blocks" && parsed->list == "resnets") {
        layers_ = std::max(layers_, parsed->index + 1);
      }
      if (parsed->group == "up_blocks" && parsed->list == "attentions") {
        attending_up_.insert(parsed->block);
      }
    }
  }

  std::optional<std::string> find_original(const std::string& name) const {
    if (auto end = rename_back(name, original_end_renames())) return end;
    const auto parsed = parse_block_name(name);
    if (!parsed) return std::nullopt;
    if (parsed->group == "down_blocks") return find_in_down(*parsed);
    if (parsed->group == "mid_block") return find_in_middle(*parsed);
    if (parsed->group == "up_blocks") return find_in_up(*parsed);
    return std::nullopt;
  }

 private:
  static std::optional<std::string> within(const std::string& block, const BlockName& name) {
    if (name.list == "attentions") return block + ".1." + std::string(name.rest);
    if (name.list != "resnets") return std::nullopt;
    const auto layer = rename_back(name.rest, original_resnet_renames());
    return layer ? std::optional(block + ".0." + *layer) : std::nullopt;
  }

  std::optional<std::string> find_in_down(const BlockName& name) const {
    const int first = name.block * (layers_ + 1) + 1;
    if (name.list == "downsamplers") {
      return "input_blocks." + std::to_string(first + layers_) + ".0.op";
    }
    return within("input_blocks." + std::to_string(first + name.index), name);
  }

  static std::optional<std::string> find_in_middle(const BlockName& name) {
    if (name.list == "attentions") return "middle_block.1." + std::string(name.rest);
    const auto layer = rename_back(name.rest, original_resnet_renames());
    if (name.list != "resnets" || !layer) return std::nullopt;
    return "middle_block." + std::to_string(2 * name.index) + "." + *layer;
  }

  std::optional<std::string> find_in_up(const BlockName& name) const {
    const int first = name.block * (layers_ + 1);
    if (name.list == "upsamplers") {
      return "output_blocks." + std::to_string(first + layers_) +
             (attending_up_.contains(name.block) ? ".2.conv" : ".1.conv");
    }
    return within("output_blocks." + std::to_string(first + name.index), name);
  }

  int layers_ = 0;  ///< resnets of each level on the way down
  std::set<int> attending_up_;
};

constexpr std::string_view kLayers = "encoder.layers.";

/// What open_clip calls a layer of a text encoder.
/// @param third gets which third of it the layer is
std::optional<std::string> find_open_clip_name(const std::string& name, int& third) {
  if (!name.starts_with(kLayers)) return std::nullopt;
  std::string_view rest = std::string_view(name).substr(kLayers.size());
  const std::string block = "transformer.resblocks." + std::string(take_piece(rest));
  constexpr std::string_view kProjections[] = {"self_attn.q_proj", "self_attn.k_proj",
                                               "self_attn.v_proj"};
  if (const auto found = std::ranges::find(kProjections, rest); found != std::end(kProjections)) {
    third = static_cast<int>(found - std::begin(kProjections));
    return block + ".attn.in_proj";
  }
  third = -1;
  const auto layer = rename_back(rest, open_clip_layer_renames());
  return layer ? std::optional(block + "." + *layer) : std::nullopt;
}

/// What the LoRAs of diffusers before 0.18 call a layer: "to_out" for "to_out.0", and in text
/// encoders "to_q" for "q_proj".
std::optional<std::string> find_old_name(const std::string& name, LoraPart part) {
  constexpr std::string_view kOutput = ".to_out.0";
  if (name.ends_with(kOutput)) return name.substr(0, name.size() - 2);
  if (part == LoraPart::kUNet) return std::nullopt;
  constexpr std::string_view kProjection = "_proj";
  const std::size_t dot = name.rfind('.');
  if (dot == name.npos || !name.ends_with(kProjection) || name.find("self_attn") == name.npos) {
    return std::nullopt;
  }
  return name.substr(0, dot) + ".to_" +
         name.substr(dot + 1, name.size() - dot - 1 - kProjection.size());
}

}  // namespace

std::map<std::string, std::string> list_original_names(const std::vector<std::string>& names) {
  const OriginalNumbers numbers(names);
  std::map<std::string, std::string> originals;
  for (const std::string& name : names) {
    if (auto original = numbers.find_original(name)) originals[name] = *std::move(original);
  }
  return originals;
}

LoraTargets::LoraTargets(LoraPart part,
                         const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  std::vector<std::string> names;
  for (const auto& [parameter, shape] : shapes) {
    if (parameter.ends_with(kWeight)) {
      names.push_back(parameter.substr(0, parameter.size() - kWeight.size()));
    }
  }
  const auto originals =
      part == LoraPart::kUNet ? list_original_names(names) : std::map<std::string, std::string>();
  for (const std::string& name : names) {
    const std::string parameter = name + std::string(kWeight);
    LoraTarget target{parameter, shapes.at(parameter), -1};
    add(name, target);
    if (const auto old = find_old_name(name, part)) add(*old, target);
    if (const auto original = originals.find(name); original != originals.end()) {
      add(original->second, target);
    }
    if (part == LoraPart::kUNet) continue;
    if (const auto open_clip = find_open_clip_name(name, target.third)) add(*open_clip, target);
  }
}

void LoraTargets::add(const std::string& dotted, const LoraTarget& target) {
  targets_[flat(dotted)].push_back(target);
}

const std::vector<LoraTarget>* LoraTargets::find(const std::string& path) const {
  const auto found = targets_.find(path);
  return found == targets_.end() ? nullptr : &found->second;
}

std::string find_part_name(const BundleInfo& info, LoraPart part) {
  if (part == LoraPart::kUNet) return "unet";
  const std::size_t index = part == LoraPart::kText ? 0 : 1;
  return index < info.text_encoders.size() ? info.text_encoders[index].part : "";
}

LoraTargets list_lora_targets(const Bundle& bundle, LoraPart part) {
  const std::string name = find_part_name(bundle.info(), part);
  if (name.empty()) return {part, {}};
  const auto weights = MappedWeights::find(bundle, name);
  if (!weights) {
    throw DataError((bundle.folder() / (name + ".ts")).string() +
                    ": its weights lie inside of the program, where no LoRA can reach them; import "
                    "the model again");
  }
  return {part, weights->shapes()};
}

}  // namespace sdx
