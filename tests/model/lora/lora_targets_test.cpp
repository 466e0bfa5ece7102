#include "model/lora/lora_targets.h"

#include "support/synthetic.h"

#include "support/catch.h"

using namespace sdx;

namespace {

constexpr std::string_view kUNet = "model.diffusion_model.";
constexpr std::string_view kWeight = ".weight";

std::string without_weight(const std::string& name) {
  return name.substr(0, name.size() - kWeight.size());
}

std::vector<std::int64_t> shape_in(const Json& entry) {
  return entry[0].get<std::vector<std::int64_t>>();
}

}  // namespace

TEST_CASE("model: the original names of every UNet's layers are those of its original layout") {
  for (const char* name : {"sd1", "sd2", "sdxl", "ssd1b", "vega", "koala-tiny", "sd1-tiny",
                           "sdxl-tiny", "ssd1b-tiny"}) {
    INFO(name);
    const Json layout = read_json_file(std::filesystem::path(SDX_TEST_DATA) / "layouts" /
                                       (std::string(name) + ".json"));
    std::vector<std::string> names;
    for (const auto& [ours, entry] : layout["tensors"]["unet"].items()) {
      if (ours.ends_with(kWeight)) names.push_back(without_weight(ours));
    }
    const auto originals = list_original_names(names);
    CHECK(originals.size() == names.size());
    for (const std::string& ours : names) {
      const std::string original = layout["tensors"]["unet"][ours + std::string(kWeight)][1];
      CHECK(originals.at(ours) == without_weight(original.substr(kUNet.size())));
    }
  }
}

TEST_CASE("model: a text encoder's layers have transformers' names, older ones and open_clip's") {
  const Json layout =
      read_json_file(std::filesystem::path(SDX_TEST_DATA) / "layouts/sdxl-tiny-rest.json");
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& [name, entry] : layout["tensors"]["text_encoder_2"].items()) {
    shapes[name] = shape_in(entry);
  }
  const LoraTargets targets(LoraPart::kSecondText, shapes);
  const auto parameter = [&](const char* path) {
    const auto* const found = targets.find(path);
    return found == nullptr ? std::string() : found->front().parameter;
  };
  const std::string layer = "encoder.layers.1.";
  CHECK(parameter("encoder_layers_1_self_attn_q_proj") == layer + "self_attn.q_proj.weight");
  CHECK(parameter("encoder_layers_1_self_attn_to_q") == layer + "self_attn.q_proj.weight");
  CHECK(parameter("encoder_layers_1_self_attn_to_out") == layer + "self_attn.out_proj.weight");
  CHECK(parameter("transformer_resblocks_1_attn_out_proj") == layer + "self_attn.out_proj.weight");
  CHECK(parameter("transformer_resblocks_1_mlp_c_fc") == layer + "mlp.fc1.weight");
  CHECK(parameter("text_projection") == "text_projection.weight");
  CHECK(targets.find("encoder_layers_9_mlp_fc1") == nullptr);

  const auto* const fused = targets.find("transformer_resblocks_1_attn_in_proj");
  REQUIRE(fused != nullptr);
  REQUIRE(fused->size() == 3);
  for (const LoraTarget& target : *fused) {
    const char* const projection = target.third == 0 ? "q" : target.third == 1 ? "k" : "v";
    CHECK(target.parameter == layer + "self_attn." + projection + "_proj.weight");
  }
}
