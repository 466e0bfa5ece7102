#include <algorithm>
#include <cstdio>
#include <map>

#include "cli/model/shown_files.h"
#include "sdx/cli/tool.h"
#include "sdx/embedding/lora_words.h"
#include "sdx/model/lora.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

/// What training programs write of how a LoRA was made, as far as people ask for it.
constexpr const char* kShownMetadata[] = {
    "ss_base_model_version",  "ss_sd_model_name", "ss_network_module",       "ss_network_dim",
    "ss_network_alpha",       "ss_output_name",   "ss_num_train_images",     "ss_max_train_steps",
    "modelspec.architecture", "modelspec.title",  "modelspec.trigger_phrase"};

/// How layers of a LoRA change a model, for people: "LoCon with magnitudes (DoRA)".
std::string name_kind(const LoraLayer& layer) {
  std::string name(to_string(layer.kind));
  if (layer.kind == LoraKind::kLora && layer.has_kernel()) name = "LoCon";
  return name + (layer.has_magnitude() ? " with magnitudes (DoRA)" : "");
}

/// "8 (12 layers), 4 (3 layers)", the most frequent first.
template <typename Value>
std::string count_text(const std::map<Value, int>& counts, const auto& to_text) {
  std::vector<std::pair<int, Value>> sorted;
  for (const auto& [value, count] : counts) sorted.emplace_back(count, value);
  std::ranges::sort(sorted, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> texts;
  for (const auto& [count, value] : sorted) {
    texts.push_back(to_text(value) +
                    (sorted.size() == 1 ? "" : " (" + std::to_string(count) + ")"));
  }
  return join(texts, ", ");
}

struct Summary {
  std::map<std::string, int> kinds;
  std::map<std::int64_t, int> ranks;
  std::map<double, int> alphas;
  std::map<std::string, int> parts;
  std::map<std::string, int> dtypes;
  int without_alpha = 0;
};

Summary summarise(const Lora& lora) {
  Summary summary;
  for (const LoraLayer& layer : lora.layers) {
    ++summary.kinds[name_kind(layer)];
    ++summary.parts[std::string(to_string(layer.part))];
    if (layer.rank > 0) ++summary.ranks[layer.rank];
    if (layer.alpha) {
      ++summary.alphas[*layer.alpha];
    } else {
      ++summary.without_alpha;
    }
    ++summary.dtypes[dtype_name(layer.tensors.begin()->second.scalar_type())];
  }
  return summary;
}

Json to_json(const Lora& lora, const std::vector<Embedding>& words) {
  const Summary summary = summarise(lora);
  Json layers = Json::array();
  for (const LoraLayer& layer : lora.layers) {
    Json one = {{"name", layer.name},
                {"part", to_string(layer.part)},
                {"kind", to_string(layer.kind)},
                {"rank", layer.rank},
                {"magnitude", layer.has_magnitude()}};
    if (layer.alpha) one["alpha"] = *layer.alpha;
    layers.push_back(std::move(one));
  }
  Json names = Json::array();
  for (const Embedding& word : words) names.push_back(word.name);
  return {
      {"file", lora.file.string()}, {"name", lora.name()},    {"made_for", describe_made_for(lora)},
      {"hash", lora.short_hash},    {"kinds", summary.kinds}, {"parts", summary.parts},
      {"layers", layers},           {"words", names},         {"unknown", lora.unknown},
      {"metadata", lora.metadata}};
}

void print(const Lora& lora, const std::vector<Embedding>& words) {
  const auto line = [](const char* key, const std::string& value) {
    if (!value.empty()) std::printf("%-10s%s\n", key, value.c_str());
  };
  const Summary summary = summarise(lora);
  const auto as_is = [](const std::string& text) { return text; };
  line("file", lora.file.string());
  line("prompt", "<lora:" + lora.name() + ":1>");
  const std::string made_for = describe_made_for(lora);
  line("made for", made_for.empty() ? "unknown" : made_for);
  line("kind", count_text(summary.kinds, as_is));
  std::vector<std::string> parts;
  for (const auto& [part, count] : summary.parts) {
    parts.push_back(part + " (" + std::to_string(count) + ")");
  }
  line("layers", join(parts, ", "));
  line("rank", count_text(summary.ranks, [](std::int64_t rank) { return std::to_string(rank); }));
  line("alpha", summary.alphas.empty()
                    ? "none: as the rank"
                    : count_text(summary.alphas, [](double alpha) { return exact_number(alpha); }) +
                          (summary.without_alpha > 0
                               ? "; as the rank in " +
                                     count_in_words(static_cast<std::size_t>(summary.without_alpha),
                                                    "layer", "layers")
                               : ""));
  line("dtype", count_text(summary.dtypes, as_is));
  line("hash", lora.short_hash + " (as pictures name it)");
  for (const Embedding& word : words) {
    line("word", placeholder(word.name) + ", " + describe_size(word.vectors));
  }
  for (const char* key : kShownMetadata) {
    const auto value = lora.metadata.find(key);
    if (value != lora.metadata.end()) line("metadata", key + (" = " + in_quotes(value->second)));
  }
  if (!lora.unknown.empty()) {
    line("unknown", count_in_words(lora.unknown.size(), "tensor", "tensors") + ": " +
                        in_quotes(lora.unknown.front()) + (lora.unknown.size() > 1 ? ", …" : ""));
  }
}

ShownFile show(const std::string& file) {
  const auto lora = read_lora(file);
  const std::vector<Embedding> words =
      lora->has_words ? read_lora_words(file) : std::vector<Embedding>();
  return {to_json(*lora, words), [lora, words] { print(*lora, words); }};
}

std::function<void()> define_show(CommandLine& line) {
  static const auto kSettings = make_shown_files_settings("LoRA files of any tool");
  return define_shown_files(line, kSettings, "LoRAs", show);
}

}  // namespace

std::span<const Command> lora_parts() {
  static constexpr Command kParts[] = {
      {"show", "Show what a LoRA file is: its kinds, its layers, what it was made for",
       "  sdx-model lora show loras/*\n", define_show}};
  return kParts;
}

}  // namespace sdx
