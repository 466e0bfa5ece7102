#include "support/synthetic.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "sdx/util/file.h"
#include "support/torch_bytes.h"

namespace sdx::test {

namespace fs = std::filesystem;

namespace {

/// Uniform in [-1, 1): SplitMix64, counted from the FNV-1a hash of the name.
at::Tensor unit(const std::string& name, at::IntArrayRef shape) {
  std::uint64_t seed = 0xCBF29CE484222325U;
  for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  at::Tensor values = at::empty(shape, at::kFloat);
  auto* out = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    std::uint64_t z = (static_cast<std::uint64_t>(i) + 1) * 0x9E3779B97F4A7C15U + seed;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    z ^= z >> 31U;
    out[i] = static_cast<float>(z >> 40U) * 0x1p-23F - 1.F;
  }
  return values;
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

void write_json(const fs::path& file, const Json& json) {
  fs::create_directories(file.parent_path());
  write_file_atomically(file, json.dump(1));
}

fs::path layout_file(const std::string& name, const char* ending) {
  return fs::path(SDX_TEST_DATA) / "layouts" / (name + ending);
}

/// What real files hold besides the weights: the noise schedule, and of CLIP what nobody reads.
void add_what_nobody_reads_of_xl(TensorMap& original) {
  original["denoiser.sigmas"] = at::ones({1000});
  original["conditioner.embedders.0.transformer.text_model.embeddings.position_ids"] =
      at::zeros({1, 77}, at::kLong);
  original["conditioner.embedders.1.model.logit_scale"] = at::ones({});
}

}  // namespace

at::Tensor synthetic_weight(const std::string& name, at::IntArrayRef shape) {
  at::Tensor values = unit(name, shape);
  if (shape.size() == 1) {
    return name.ends_with("weight") ? values.mul_(0.2F).add_(1.F) : values.mul_(0.1F);
  }
  if (contains(name, "_embedding") && !contains(name, "time")) return values.mul_(0.5F);
  const auto fan_in = static_cast<double>(values.numel() / shape[0]);
  return values.mul_(static_cast<float>(std::sqrt(3 / fan_in)));
}

at::Tensor synthetic_noise(const std::string& name, at::IntArrayRef shape) {
  return unit(name, shape).mul_(static_cast<float>(std::sqrt(3.)));
}

SyntheticModel::SyntheticModel(const std::string& name)
    : name_(name),
      layout_(read_json_file(layout_file(name, ".json"))),
      golden_(map_safetensors(layout_file(name, ".safetensors")).tensors) {
  if (!layout_.contains("rest")) return;
  const auto rest = layout_["rest"].get<std::string>();
  layout_.merge_patch(read_json_file(layout_file(rest, ".json")));
  golden_.merge(map_safetensors(layout_file(rest, ".safetensors")).tensors);
}

std::int64_t SyntheticModel::kept_every(const std::string& output) const {
  constexpr std::int64_t kUsually = 61;
  const auto stated = layout_.find("kept_every");
  return stated == layout_.end() ? kUsually : stated->value(output, kUsually);
}

TensorMap SyntheticModel::weights(const std::string& part, at::ScalarType dtype) const {
  TensorMap weights;
  for (const auto& [name, entry] : layout_["tensors"][part].items()) {
    const auto shape = entry[0].get<std::vector<std::int64_t>>();
    weights[name] = synthetic_weight(part + "." + name, shape).to(dtype);
  }
  return weights;
}

TensorMap SyntheticModel::original_weights(at::ScalarType dtype) const {
  TensorMap original;
  std::map<std::string, std::vector<at::Tensor>> thirds;
  for (const auto& [part, entries] : layout_["tensors"].items()) {
    for (const auto& [name, tensor] : weights(part, dtype)) {
      const auto old_name = entries[name][1].get<std::string>();
      if (old_name.ends_with("#T")) {
        original[old_name.substr(0, old_name.size() - 2)] = tensor.t().contiguous();
      } else if (const auto mark = old_name.find('#'); mark != std::string::npos) {
        auto& parts = thirds[old_name.substr(0, mark)];
        parts.resize(3);
        parts[static_cast<std::size_t>(old_name.back() - '0')] = tensor;
      } else if (contains(old_name, ".attn_1.") && tensor.dim() == 2) {
        original[old_name] = tensor.unsqueeze(-1).unsqueeze(-1);
      } else {
        original[old_name] = tensor;
      }
    }
  }
  for (const auto& [name, parts] : thirds) original[name] = at::cat(parts);

  if (is_xl()) {
    add_what_nobody_reads_of_xl(original);
    return original;
  }
  // What real files hold besides: the noise schedule, and of open_clip the layer that nobody reads.
  original["alphas_cumprod"] = at::ones({1000});
  if (thirds.empty()) {
    original["cond_stage_model.transformer.text_model.embeddings.position_ids"] =
        at::zeros({1, 77}, at::kLong);
    return original;
  }
  const auto layers = config("text_encoder")["num_hidden_layers"].get<int>();
  const std::string before =
      "cond_stage_model.model.transformer.resblocks." + std::to_string(layers - 1);
  const std::string last = "cond_stage_model.model.transformer.resblocks." + std::to_string(layers);
  TensorMap unused;
  for (const auto& [name, tensor] : original) {
    if (name.starts_with(before + ".")) unused[last + name.substr(before.size())] = tensor + 1;
  }
  original.merge(unused);
  original["cond_stage_model.model.logit_scale"] = at::ones({});
  return original;
}

void SyntheticModel::write_folder(const fs::path& folder, at::ScalarType dtype) const {
  write_json(folder / "model_index.json",
             {{"_class_name", is_xl() ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline"}});
  write_json(folder / "scheduler/scheduler_config.json", config("scheduler"));
  for (const auto& [part, entries] : layout_["tensors"].items()) {
    const bool is_text = part.starts_with("text_encoder");
    Json json = config(part);
    if (is_text) json["layer_norm_eps"] = 1e-5;
    if (!is_text) {
      json["act_fn"] = "silu";
      json["norm_num_groups"] = 32;
    }
    write_json(folder / part / "config.json", json);
    const char* file = is_text ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
    write_safetensors(folder / part / file, weights(part, dtype));
  }
  const fs::path clip = fs::path(SDX_SOURCE_DIR) / "configs/tokenizers/clip";
  fs::copy(clip, folder / "tokenizer");
  if (!is_xl()) return;
  fs::copy(clip, folder / "tokenizer_2");
  Json settings = read_json_file(clip / "tokenizer_config.json");
  settings["pad_token"] = "!";
  write_json(folder / "tokenizer_2/tokenizer_config.json", settings);
}

void SyntheticModel::write_single_file(const fs::path& file, at::ScalarType dtype) const {
  write_safetensors(file, original_weights(dtype));
}

void SyntheticModel::write_ckpt(const fs::path& file, std::int64_t global_step) const {
  ZipPlan plan = {{{"archive/data.pkl", ""}}};
  std::string state = "}(";
  for (const auto& [name, tensor] : original_weights(at::kFloat)) {
    const at::Tensor values = tensor.to(at::kFloat).contiguous();
    const std::string key = std::to_string(plan.parts.size());
    state += text(name) + sdx::test::tensor(storage(key, values.numel()), 0, values.sizes().vec(),
                                            values.strides().vec());
    plan.parts.push_back(
        {"archive/data/" + key,
         std::string(static_cast<const char*>(values.data_ptr()), values.nbytes())});
  }
  const std::string callbacks =
      "}" + global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint") + "}s";
  plan.parts[0].bytes = pickle("}(" + text("state_dict") + state + "u" + text("global_step") +
                               integer(global_step) + text("callbacks") + callbacks + "u");
  write_file_atomically(file, zip(plan));
}

}  // namespace sdx::test
