// Reading LoRA files: what is refused, and what is known of one.

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <limits>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/lora_files.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"
#include "support/tiny_sdxl.h"
#include "support/torch_checkpoint.h"

#include "support/catch.h"

using namespace sdx;
using Catch::Matchers::ContainsSubstring;
using test::catch_message;

namespace {

constexpr const char* kLayer =
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";

/// A LoRA of one layer of the tiny Stable Diffusion 1, 16 x 16.
TensorMap one_layer(std::int64_t rank = 2) {
  const std::string layer = kLayer;
  return {{layer + ".lora_up.weight", at::ones({16, rank})},
          {layer + ".lora_down.weight", at::ones({rank, 16})},
          {layer + ".alpha", at::full({}, 1.0)}};
}

class Files {
 public:
  std::filesystem::path write(const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata = {},
                              const std::string& name = "style.safetensors") const {
    write_safetensors(folder_.path() / name, tensors, metadata);
    return folder_.path() / name;
  }
  std::string refusal(const TensorMap& tensors) const {
    const auto file = write(tensors);
    return catch_message<DataError>([&] { read_lora(file); });
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  test::TempFolder folder_;
};

}  // namespace

TEST_CASE("model: what a LoRA file says is read") {
  const auto lora = read_lora(test::lora_file("sd1-alphas"));
  CHECK(lora->layers.size() == 8);
  CHECK(lora->name() == "sd1-alphas");
  CHECK(lora->unknown.empty());
  CHECK_FALSE(lora->has_words);
  const LoraLayer& layer = lora->layers.back();
  CHECK(layer.name == "lora_unet_up_blocks_1_attentions_1_transformer_blocks_0_attn2_to_v");
  CHECK(layer.path == "up_blocks_1_attentions_1_transformer_blocks_0_attn2_to_v");
  CHECK(layer.part == LoraPart::kUNet);
  CHECK(layer.kind == LoraKind::kLora);
  CHECK(layer.rank == 3);
  CHECK(layer.alpha == 4.0);
  CHECK(layer.scale() == 4.0 / 3);
  CHECK_FALSE(layer.has_kernel());
  CHECK(lora->layers.front().part == LoraPart::kText);
  CHECK(read_lora(test::lora_file("sd1-core"))->layers.front().has_kernel());
  CHECK(read_lora(test::lora_file("sd1-lokr-whole"))->layers.front().scale() == 1);
  CHECK(read_lora(test::lora_file("sd1-dora-rows"))->layers.front().has_magnitude());
}

TEST_CASE("model: a LoRA is called by the hash of its data, as AUTOMATIC1111 calls it") {
  const Files files;
  const auto file = files.write(one_layer());
  const std::string hash = short_lora_hash(file);
  CHECK(hash.size() == 12);
  CHECK(read_lora(file)->short_hash == hash);
  const auto same = files.write(one_layer(), {{"ss_output_name", "other"}}, "other.safetensors");
  CHECK(short_lora_hash(same) == hash);
  CHECK(short_lora_hash(files.write(one_layer(4), {}, "more.safetensors")) != hash);
  // hashlib.sha256(data[8 + length of the header:]).hexdigest()[:12]
  CHECK(short_lora_hash(test::lora_file("sd1-kohya")) == "4f45b1750b4e");
}

TEST_CASE("model: half a pair is refused by name") {
  const Files files;
  for (const auto& [end, other] :
       {std::pair{".lora_up.weight", "lora_down"}, std::pair{".lora_down.weight", "lora_up"}}) {
    TensorMap tensors = one_layer();
    tensors.erase(kLayer + std::string(end));
    const std::string message = files.refusal(tensors);
    CHECK_THAT(message, ContainsSubstring(std::string(kLayer)) &&
                            ContainsSubstring("is missing, the other half of \"" +
                                              std::string(other) + "\""));
  }
  for (const char* end : {"hada_w1_b", "hada_w2_a"}) {
    const auto loha = map_safetensors(test::lora_file("sd1-loha")).tensors;
    TensorMap tensors(loha.begin(), loha.end());
    std::erase_if(tensors, [end](const auto& entry) { return entry.first.ends_with(end); });
    CHECK_THAT(files.refusal(tensors),
               ContainsSubstring("\"" + std::string(end) + "\" is missing"));
  }
  TensorMap lokr(map_safetensors(test::lora_file("sd1-lokr")).tensors);
  std::erase_if(lokr, [](const auto& entry) { return entry.first.ends_with("lokr_w1"); });
  CHECK_THAT(files.refusal(lokr), ContainsSubstring("\"lokr_w1\" is missing"));
  CHECK_THAT(files.refusal({{kLayer + std::string(".alpha"), at::full({}, 1.0)}}),
             ContainsSubstring("nothing that they belong to"));
}

TEST_CASE("model: ranks that differ are refused") {
  const Files files;
  TensorMap tensors = one_layer();
  tensors[kLayer + std::string(".lora_down.weight")] = at::ones({3, 16});
  CHECK_THAT(files.refusal(tensors), ContainsSubstring("\"lora_up\" 16 x 2 is of rank 2, "
                                                       "\"lora_down\" 3 x 16 of rank 3"));
  TensorMap core(map_safetensors(test::lora_file("sd1-core")).tensors);
  for (auto& [name, tensor] : core) {
    if (name.ends_with("lora_mid.weight")) tensor = at::ones({7, 7, 3, 3});
  }
  CHECK_THAT(files.refusal(core), ContainsSubstring("\"lora_mid\": expected"));
  tensors = one_layer();
  tensors[kLayer + std::string(".lora_down.weight")] = at::ones({2});
  CHECK_THAT(files.refusal(tensors), ContainsSubstring("expected matrices"));
}

TEST_CASE("model: values that are not finite, and numbers of another type, are refused") {
  const Files files;
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    TensorMap tensors = one_layer();
    tensors[kLayer + std::string(".lora_up.weight")] = at::full({16, 2}, bad);
    CHECK_THAT(files.refusal(tensors),
               ContainsSubstring("lora_up.weight\" has values that are not finite"));
    tensors = one_layer();
    tensors[kLayer + std::string(".alpha")] = at::full({}, bad);
    CHECK_THAT(files.refusal(tensors), ContainsSubstring("not finite"));
  }
  TensorMap tensors = one_layer();
  tensors[kLayer + std::string(".lora_up.weight")] = at::ones({16, 2}, at::kLong);
  CHECK_THAT(files.refusal(tensors), ContainsSubstring("expected floating-point numbers"));
  tensors = one_layer();
  tensors[kLayer + std::string(".alpha")] = at::ones({2});
  CHECK_THAT(files.refusal(tensors), ContainsSubstring("expected one number, found 2"));
}

TEST_CASE("model: what is no LoRA is called by its name") {
  const Files files;
  const at::Tensor one = at::ones({2, 2});
  CHECK_THAT(files.refusal({{"model.diffusion_model.out.2.weight", one}}),
             ContainsSubstring("this is a checkpoint") && ContainsSubstring("sdx-model import"));
  CHECK_THAT(files.refusal({{"down_blocks.0.resnets.0.conv1.weight", one}}),
             ContainsSubstring("this is a checkpoint or a part of one"));
  CHECK_THAT(files.refusal({{"emb_params", one}}), ContainsSubstring("this is an embedding"));
  CHECK_THAT(files.refusal({{"<Ada>", one}}), ContainsSubstring("this is an embedding"));
  CHECK_THAT(files.refusal({{"lora_unet_x.oft_blocks", one}}), ContainsSubstring("holds OFT"));
  CHECK_THAT(files.refusal({{"lora_unet_x.a1.weight", one}}), ContainsSubstring("holds GLoRA"));
  CHECK_THAT(files.refusal({{"lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight", one}}),
             ContainsSubstring("was made for Flux"));
  CHECK_THAT(files.refusal({{"transformer.x.lora_A.weight", one}}),
             ContainsSubstring("another model with a transformer"));
  CHECK_THAT(files.refusal({{"a.b.c", one}}), ContainsSubstring("expected a LoRA, found tensors"));
  CHECK_THROWS_AS(read_lora(files.path() / "none.safetensors"), MissingInputError);
  for (const char* name : {"original.pt", "a1111.pt"}) {
    const auto file = std::filesystem::path(SDX_TEST_DATA) / "embeddings" / name;
    CHECK_THAT(catch_message<DataError>([&] { read_lora(file); }),
               ContainsSubstring("this is an embedding"));
  }
  CHECK_THAT(catch_message<DataError>([&] { read_lora(files.path()); }),
             ContainsSubstring("is a folder"));
}

TEST_CASE("model: the alpha that diffusers and PEFT state beside the layers counts") {
  const Files files;
  const std::string layer = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
  const TensorMap tensors = {{layer + ".lora_B.weight", at::ones({32, 4})},
                             {layer + ".lora_A.weight", at::ones({4, 32})}};
  const auto scale = [&](const char* stated) {
    const auto file = files.write(tensors, {{"lora_adapter_metadata", stated}});
    return read_lora(file)->layers.front().scale();
  };
  CHECK(scale("{}") == 1);
  CHECK(scale(R"({"unet.lora_alpha": 8, "unet.r": 4})") == 2);
  CHECK(scale(R"({"unet.lora_alpha": 8, "unet.use_rslora": true})") == 4);
  CHECK(scale(R"({"unet.lora_alpha": 8, "unet.alpha_pattern": {"attn1.to_q": 12}})") == 3);
  CHECK(scale(R"({"text_encoder.lora_alpha": 8})") == 1);
  CHECK(scale("no JSON") == 1);

  const std::string peft =
      "base_model.model.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
  const auto file = files.write(
      {{peft + ".lora_B.weight", at::ones({32, 4})}, {peft + ".lora_A.weight", at::ones({4, 32})}},
      {}, "adapter_model.safetensors");
  CHECK(read_lora(file)->layers.front().scale() == 1);
  write_file_atomically(files.path() / "adapter_config.json", R"({"lora_alpha": 20, "r": 4})");
  CHECK(read_lora(file)->layers.front().scale() == 5);
}

TEST_CASE("model: names that a model does not have are listed, and the rest counts") {
  const Files files;
  TensorMap tensors = one_layer();
  for (const char* name : {"lora_unet_input_hint", "lora_te_text_model_encoder_layers_9_mlp_fc1"}) {
    tensors[std::string(name) + ".lora_up.weight"] = at::ones({64, 2});
    tensors[std::string(name) + ".lora_down.weight"] = at::ones({2, 32});
  }
  const std::string wide = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
  tensors[wide + ".lora_up.weight"] = at::ones({32, 2});
  tensors[wide + ".lora_down.weight"] = at::ones({2, 64});
  tensors["some_statistics"] = at::ones({2});
  const auto lora = read_lora(files.write(tensors));
  const LoraFit fit = fit_lora(*lora, test::tiny_bundle());
  CHECK(fit.layers == 1);
  CHECK(fit.not_there == std::vector<std::string>{"lora_unet_input_hint",
                                                  "lora_te_text_model_encoder_layers_9_mlp_fc1"});
  CHECK(fit.other_shape == std::vector<std::string>{wide + ": expected 32 x 32, found 32 x 64"});
  const std::vector<std::string> remarks = describe_misfits(*lora, fit, "tiny");
  REQUIRE(remarks.size() == 3);
  CHECK_THAT(remarks[0], ContainsSubstring("2 layers that tiny does not have, left out: "
                                           "\"lora_unet_input_hint\""));
  CHECK_THAT(remarks[1], ContainsSubstring("1 layer of another shape, left out"));
  CHECK_THAT(remarks[2], ContainsSubstring("1 tensor of unknown meaning, left out"));
}

TEST_CASE("model: a LoRA of another family is refused, which is said") {
  const auto refusal = [](const char* name, const Bundle& bundle) {
    return catch_message<DataError>([&] { fit_lora(*read_lora(test::lora_file(name)), bundle); });
  };
  CHECK_THAT(refusal("sdxl-sgm", test::tiny_bundle()),
             ContainsSubstring("was made for a model whose UNet reads a context of width 192; the "
                               "model here is tiny, whose UNet reads a context of width 32"));
  CHECK_THAT(refusal("sd1-kohya", test::tiny_sdxl()), ContainsSubstring("context of width 32;"));
  // One whose shapes say nothing.
  CHECK_THAT(refusal("sd1-core", test::tiny_sdxl()), ContainsSubstring("none of its layers fits"));

  const Files files;
  const auto of_width = [&](std::int64_t width, const std::string& prefix) {
    const std::string layer = prefix + "input_blocks_4_1_transformer_blocks_0_attn2_to_k";
    return files.write({{layer + ".lora_up.weight", at::ones({640, 1})},
                        {layer + ".lora_down.weight", at::ones({1, width})}});
  };
  for (const auto& [width, family] :
       {std::pair{768, "SD 1.x"}, std::pair{1024, "SD 2.x"}, std::pair{2048, "SDXL"}}) {
    const auto lora = read_lora(of_width(width, "lora_unet_"));
    CHECK(describe_made_for(*lora) == family);
    CHECK_THAT(
        catch_message<DataError>([&] { fit_lora(*lora, test::tiny_bundle()); }),
        ContainsSubstring("was made for " + std::string(family) + "; the model here is tiny"));
  }
  // Some layers of all families have the same names and shapes.
  TensorMap fitting = one_layer();
  const std::string keys = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
  fitting[keys + ".lora_up.weight"] = at::ones({16, 1});
  fitting[keys + ".lora_down.weight"] = at::ones({1, 2048});
  const auto of_xl = read_lora(files.write(fitting));
  CHECK_THAT(catch_message<DataError>([&] { fit_lora(*of_xl, test::tiny_bundle()); }),
             ContainsSubstring("was made for SDXL; the model here is tiny"));
  const auto second = files.write(
      {{"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", at::ones({64, 1})},
       {"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", at::ones({1, 32})}});
  CHECK_THAT(catch_message<DataError>([&] { fit_lora(*read_lora(second), test::tiny_bundle()); }),
             ContainsSubstring("was made for SDXL") && ContainsSubstring("no second text encoder"));
  const auto stated = files.write({{"lora_unet_x.lora_up.weight", at::ones({2, 1})},
                                   {"lora_unet_x.lora_down.weight", at::ones({1, 2})}},
                                  {{"ss_base_model_version", "sdxl_base_v1-0"}});
  CHECK(describe_made_for(*read_lora(stated)) == "SDXL");
}

TEST_CASE("model: the last layer of SDXL's first text encoder, which nothing reads, is no misfit") {
  const Files files;
  TensorMap tensors(map_safetensors(test::lora_file("sdxl-sgm")).tensors);
  // The tiny one has three layers, of which two are read.
  const std::string last = "lora_te1_text_model_encoder_layers_2_mlp_fc1";
  tensors[last + ".lora_up.weight"] = at::ones({128, 1}, at::kHalf);
  tensors[last + ".lora_down.weight"] = at::ones({1, 64}, at::kHalf);
  const auto lora = read_lora(files.write(tensors));
  const LoraFit fit = fit_lora(*lora, test::tiny_sdxl());
  CHECK(fit.not_there.empty());
  CHECK(fit.layers == lora->layers.size() - 1);
}

TEST_CASE("model: a LoRA that PyTorch saved is read as one of safetensors") {
  const Files files;
  const TensorMap tensors = one_layer();
  write_file_atomically(files.path() / "style.pt",
                        test::torch_checkpoint(tensors, [](const std::string& entries) {
                          return "}(" + entries + "u";
                        }));
  const auto lora = read_lora(files.path() / "style.pt");
  REQUIRE(lora->layers.size() == 1);
  CHECK(lora->layers.front().scale() == 0.5);
  CHECK(fit_lora(*lora, test::tiny_bundle()).layers == 1);
  CHECK(lora->short_hash.size() == 12);
}
