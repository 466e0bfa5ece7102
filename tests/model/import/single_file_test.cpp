// Single files as people have them: what trainers and other programs leave in a checkpoint, how
// they wrap it, and what files of other kinds are called.

#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <map>

#include "sdx/model/import/import.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/torch_checkpoint.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using namespace sdx::test;

namespace {

/// A tiny Stable Diffusion 1 or 2, and what its import gives.
struct Plain {
  explicit Plain(const std::string& name)
      : tensors(SyntheticModel(name).original_weights(at::kFloat)) {
    sdx::write_safetensors(folder.path() / "plain.safetensors", tensors);
    report = import(folder.path() / "plain.safetensors");
  }

  static sdx::ImportReport import(const fs::path& file) {
    const TempFolder bundles;
    sdx::ImportOptions options;
    options.name = "copy";
    return sdx::import_checkpoint(file, bundles.path() / "bundle", options);
  }

  TempFolder folder;
  sdx::TensorMap tensors;
  sdx::ImportReport report;
};

const Plain& sd1() {
  static const Plain plain("sd1-tiny");
  return plain;
}

/// The import of these tensors must give what the plain file gives.
sdx::ImportReport check_same(const sdx::TensorMap& tensors, const Plain& plain = sd1()) {
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "model.safetensors", tensors);
  sdx::ImportReport report = Plain::import(folder.path() / "model.safetensors");
  CHECK(report.info.sha256 == plain.report.info.sha256);
  return report;
}

std::string refusal(const fs::path& file) {
  return catch_message<sdx::DataError>([&] { Plain::import(file); });
}

std::string refusal(const sdx::TensorMap& tensors) {
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "model.safetensors", tensors);
  return refusal(folder.path() / "model.safetensors");
}

/// What trainers call the averaged weights of a tensor of the UNet.
std::string average_name(const std::string& name) {
  std::string flat = name.substr(std::string("model.").size());
  std::erase(flat, '.');
  return "model_ema." + flat;
}

bool is_of_unet(const std::string& name) { return name.starts_with("model.diffusion_model."); }

}  // namespace

TEST_CASE("model: what trainers and other programs left in a checkpoint is not used") {
  const at::Tensor one = at::ones({1});
  const std::string clip = "cond_stage_model.";
  const std::vector<std::string> left = {
      "embedding_manager.embedder.transformer.text_model.final_layer_norm.weight",
      "embedding_manager.string_to_param_dict.*",
      clip + "logit_scale",
      clip + "text_projection",
      clip + "transformer.logit_scale",
      clip + "transformer.text_projection.weight",
      clip + "transformer.visual_projection.weight",
      clip + "transformer.vision_model.post_layernorm.bias",
      "first_stage_model.loss.discriminator.main.0.weight",
      "first_stage_model.loss.logvar",
      "model_ema.decay",
      "loss.logvar.weight",
      "optimizer.state.0",
      "global_step"};
  sdx::TensorMap tensors = sd1().tensors;
  for (const std::string& name : left) tensors[name] = one;
  const auto report = check_same(tensors);
  CHECK(report.unused.size() == sd1().report.unused.size() + left.size());
  for (const std::string& name : left) {
    INFO(name);
    CHECK(std::ranges::find(report.unused, name) != report.unused.end());
  }
  CHECK(report.remarks.empty());
}

TEST_CASE("model: what open_clip has behind its text encoder is not used") {
  const Plain plain("sd2-tiny");
  sdx::TensorMap tensors = plain.tensors;
  const std::string clip = "cond_stage_model.model.";
  tensors[clip + "text_projection"] = at::zeros({64, 64});
  tensors[clip + "attn_mask"] = at::zeros({77, 77});
  tensors[clip + "visual.conv1.weight"] = at::zeros({1});
  CHECK(check_same(tensors, plain).unused.size() == plain.report.unused.size() + 3);
}

TEST_CASE("model: a LoRA that was left in beside the model is left out, and said") {
  sdx::TensorMap tensors = sd1().tensors;
  for (const char* name :
       {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight",
        "lora_unet_mid_block_attentions_0_proj_in.alpha", "lora_te_text_model.lora_up.weight",
        "unet.mid_block.attentions.0.to_q.lora_A.weight"}) {
    tensors[name] = at::zeros({4, 4});
  }
  const auto report = check_same(tensors);
  REQUIRE(report.remarks.size() == 1);
  CHECK_THAT(report.remarks.front(), ContainsSubstring("A LoRA was left in the file beside") &&
                                         ContainsSubstring("4 tensors"));
  CHECK(report.unused.size() == sd1().report.unused.size() + 4);
  // In a layer of the model it is a part of what the model computes.
  tensors = sd1().tensors;
  const std::string inside = "model.diffusion_model.middle_block.1.proj_in.lora_down.weight";
  tensors[inside] = at::zeros({4, 4});
  CHECK_THAT(refusal(tensors), ContainsSubstring("a whole checkpoint with LoRA tensors left in") &&
                                   ContainsSubstring(inside) && ContainsSubstring("merge"));
}

TEST_CASE("model: a file with nothing but averaged weights of its UNet is that model") {
  for (const std::string name : {"sd1-tiny", "sd2-tiny"}) {
    INFO(name);
    const Plain plain(name);
    sdx::TensorMap averaged;
    sdx::TensorMap both = plain.tensors;
    for (const auto& [key, tensor] : plain.tensors) {
      averaged[is_of_unet(key) ? average_name(key) : key] = tensor;
      if (is_of_unet(key)) {
        both[average_name(key)] = tensor;
        both[key] = tensor + 1;
      }
    }
    averaged["model_ema.num_updates"] = at::zeros({});
    const auto report = check_same(averaged, plain);
    CHECK_THAT(report.remarks.front(),
               ContainsSubstring("averaged (EMA) weights of the UNet only"));
    check_same(both, plain);
    // A part of the UNet is there in both ways, the rest as an average only.
    std::erase_if(both, [](const auto& entry) {
      return entry.first.starts_with("model.diffusion_model.output_blocks.");
    });
    check_same(both, plain);
  }
}

TEST_CASE("model: whatever a program has put before the names, the model is found") {
  for (const std::string before : {"module.", "model.", "_orig_mod.", "module.model.", "ldm."}) {
    INFO(before);
    sdx::TensorMap tensors;
    for (const auto& [name, tensor] : sd1().tensors) tensors[before + name] = tensor;
    check_same(tensors);
  }
  // Beside names that are as they should be, nothing is taken away.
  sdx::TensorMap twice = sd1().tensors;
  twice["module.model.diffusion_model.out.2.bias"] = at::zeros({4});
  CHECK_THAT(refusal(twice),
             ContainsSubstring("\"module.model.diffusion_model.out.2.bias\" is unknown"));
}

TEST_CASE("model: a checkpoint is what it holds, whatever it is called and wherever its dict is") {
  const TempFolder folder;
  const auto check_file = [&](const std::string& name, const std::string& bytes) {
    INFO(name);
    const auto report = Plain::import(folder.file(name, bytes));
    CHECK(report.info.sha256 == sd1().report.info.sha256);
  };
  const sdx::TensorMap& tensors = sd1().tensors;
  const auto under = [](const std::string& key) {
    return [key](const std::string& entries) { return state_under(key, entries); };
  };
  const std::string safetensors = read_bytes(sd1().folder.path() / "plain.safetensors");
  const std::string torch = torch_checkpoint(tensors, under("state_dict"));
  check_file("safetensors_named.ckpt", safetensors);
  check_file("no_ending", safetensors);
  check_file("torch_named.safetensors", torch);
  check_file("UPPER.CKPT", torch);
  check_file("Mixed.SafeTensors", safetensors);
  check_file("model.bin", torch_checkpoint(tensors, under("model")));
  check_file("deep.pt", torch_checkpoint(tensors, [](const std::string& entries) {
               return "}" + text("module") + state_under("state_dict", entries) + "s";
             }));
  check_file("own.pt", torch_checkpoint(tensors, under("my_weights")));
  check_file("plain.pth",
             torch_checkpoint(tensors, [](const std::string& e) { return "}(" + e + "u"; }));
  check_file("ordered.ckpt", torch_checkpoint(tensors, [](const std::string& entries) {
               return "}" + text("state_dict") + call(global("collections", "OrderedDict"), {}) +
                      "(" + entries + "us";
             }));
}

TEST_CASE("model: harmless data beside the weights of a .ckpt are no reason to refuse it") {
  const TempFolder folder;
  const std::string list_class = global("__builtin__", "list");
  const std::map<std::string, std::string> more = {
      {"array", numpy_array()},
      {"array of numpy 2", numpy_array("numpy._core.multiarray")},
      {"defaultdict", call(global("collections", "defaultdict"), {list_class})},
      {"namespace", object("argparse", "Namespace")},
      {"date", call(global("datetime", "datetime"), {encoded("\x07")})},
      {"path", call(global("pathlib", "PosixPath"), {text("/"), text("runs")})},
      {"config", object("omegaconf.dictconfig", "DictConfig")},
      {"own class", object("__main__", "TrainConfig")},
      {"dtype", global("torch", "float16")},
      {"optimizer class", global("torch.optim.adamw", "AdamW")},
  };
  std::string entries;
  for (const auto& [key, value] : more) entries += text(key) + value;
  const auto file =
      folder.file("model.ckpt", torch_checkpoint(sd1().tensors, [&](const auto& state) {
                    return state_under("state_dict", state, entries);
                  }));
  CHECK(Plain::import(file).info.sha256 == sd1().report.info.sha256);
}

TEST_CASE("model: where no name fits, the names that there are are shown") {
  const at::Tensor one = at::zeros({1});
  CHECK_THAT(refusal({{"net.a.weight", one}, {"net.b.weight", one}, {"head.weight", one}}),
             ContainsSubstring("no tensor \"model.diffusion_model.*\" among 3: they begin with "
                               "\"head\", \"net\"; the first is \"head.weight\""));
  sdx::TensorMap no_text = sd1().tensors;
  std::erase_if(no_text, [](const auto& e) { return e.first.starts_with("cond_stage_model."); });
  CHECK_THAT(refusal(no_text), ContainsSubstring("no text encoder") &&
                                   ContainsSubstring("\"first_stage_model\", \"model\""));
  const TempFolder folder;
  const auto pickled = [&folder](const std::string& value) {
    return refusal(folder.file("model.ckpt", torch_zip(pickle(value), "")));
  };
  CHECK_THAT(
      pickled("}(" + text("epoch") + "K\x03" + text("weights") + "}u"),
      ContainsSubstring("expected a dict of tensors, found a dict with \"epoch\" (the number "
                        "3), \"weights\" (a dict of 0 entries)"));
  CHECK_THAT(pickled(object("my_program", "Model")),
             ContainsSubstring("\"my_program.Model\"") && ContainsSubstring("save the state_dict"));
  CHECK_THAT(pickled("]"), ContainsSubstring("found a list of 0 items"));
}

TEST_CASE("model: tensors that nobody knows are called as the file calls them") {
  for (const char* name :
       {"first_stage_model.surprise.weight", "first_stage_model.encoder.down.0.block.0.surprise",
        "model.diffusion_model.input_blocks.1.0.surprise.weight",
        "cond_stage_model.transformer.text_model.surprise.weight", "surprise.weight"}) {
    INFO(name);
    sdx::TensorMap tensors = sd1().tensors;
    tensors[name] = at::zeros({1});
    CHECK_THAT(refusal(tensors),
               ContainsSubstring("tensor \"" + std::string(name) + "\" is unknown"));
  }
}

TEST_CASE("model: parts of models and networks beside them are called by their names") {
  const at::Tensor one = at::zeros({1});
  CHECK_THAT(refusal({{"diffusion_model.input_blocks.0.0.weight", one}}),
             ContainsSubstring("a UNet without its VAE and text encoder"));
  CHECK_THAT(refusal({{"model.diffusion_model.input_blocks.0.0.weight", one}}),
             ContainsSubstring("a UNet without its VAE and text encoder"));
  CHECK_THAT(refusal({{"text_model.embeddings.token_embedding.weight", one}}),
             ContainsSubstring("a text encoder without a UNet"));
  CHECK_THAT(refusal({{"lora_te_text_model.hada_w1_a", one}}), ContainsSubstring("a LoRA"));
  CHECK_THAT(refusal({{"down_blocks.0.motion_modules.0.x", one}}),
             ContainsSubstring("AnimateDiff"));
  const TempFolder folder;
  const auto embedding = folder.file(
      "word.pt", torch_checkpoint({{"*", at::zeros({2, 64})}}, [](const std::string& entries) {
        return state_under("string_to_param", entries);
      }));
  CHECK_THAT(refusal(embedding), ContainsSubstring("this is an embedding"));
  const auto pointer =
      folder.file("model.safetensors", "version https://git-lfs.github.com/spec/v1\nsize 4\n");
  CHECK_THAT(refusal(pointer), ContainsSubstring("a Git LFS pointer"));
}

TEST_CASE("model: rows of words that were added to a single file's text encoder are said") {
  const std::string table =
      "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight";
  sdx::TensorMap tensors = sd1().tensors;
  tensors[table] = at::cat({tensors.at(table), at::zeros({3, 64})});
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "model.safetensors", tensors);
  const auto report = Plain::import(folder.path() / "model.safetensors");
  REQUIRE(report.remarks.size() == 1);
  CHECK_THAT(report.remarks.front(), ContainsSubstring("3 rows beyond CLIP's vocabulary"));
}
