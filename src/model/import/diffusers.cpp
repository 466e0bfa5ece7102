#include "sdx/model/import/diffusers.h"

#include <algorithm>
#include <cmath>

#include "model/import/programs.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// One config.json of the checkpoint, read with errors that name file and key.
class Config {
 public:
  explicit Config(fs::path file) : file_(std::move(file)), json_(read_json_file(file_)) {}

  template <typename T>
  T get(const std::string& key) const {
    return json_value<T>(json_, key, file_);
  }
  template <typename T>
  T get(const std::string& key, T fallback) const {
    return json_value<T>(json_, key, file_, fallback);
  }

  /// Refuses a value that this anatomy does not have; an absent key means the expected one.
  template <typename T>
  void expect(const std::string& key, const T& expected) const {
    const Json found = get<Json>(key, Json(expected));
    if (found != Json(expected)) refuse(key, Json(expected).dump());
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const {
    throw DataError(file_.string() + ": " + key + ": expected " + expected + ", found " +
                    get<Json>(key, Json(nullptr)).dump() +
                    "; only the anatomy of Stable Diffusion 1 can be imported");
  }

 private:
  fs::path file_;
  Json json_;
};

/// A value that may be given once for all levels or as a list, one for each.
std::vector<int> per_level(const Config& config, const std::string& key, std::size_t levels) {
  const Json value = config.get<Json>(key);
  if (value.is_number_integer()) return std::vector<int>(levels, value.get<int>());
  const auto list = config.get<std::vector<int>>(key);
  if (list.size() != levels) config.refuse(key, std::to_string(levels) + " values");
  return list;
}

UNetConfig read_unet_config(const fs::path& file) {
  const Config config(file);
  config.expect("act_fn", "silu");
  config.expect("in_channels", 4);
  config.expect("out_channels", 4);
  config.expect("center_input_sample", false);
  config.expect("flip_sin_to_cos", true);
  config.expect("freq_shift", 0);
  config.expect("downsample_padding", 1);
  config.expect("dual_cross_attention", false);
  config.expect("resnet_time_scale_shift", "default");
  config.expect("time_embedding_type", "positional");
  config.expect("mid_block_type", "UNetMidBlock2DCrossAttn");
  config.expect("only_cross_attention", false);
  for (const char* key : {"addition_embed_type", "class_embed_type", "encoder_hid_dim",
                          "num_class_embeds", "time_cond_proj_dim"}) {
    config.expect(key, nullptr);
  }

  UNetConfig unet;
  unet.channels = config.get<std::vector<int>>("block_out_channels");
  unet.layers_per_level = config.get<int>("layers_per_block");
  unet.transformer_depth = config.get<int>("transformer_layers_per_block", 1);
  unet.context_width = config.get<int>("cross_attention_dim");
  unet.norm_groups = config.get<int>("norm_num_groups");
  unet.norm_epsilon = config.get<double>("norm_eps", 1e-5);
  unet.linear_projection = config.get<bool>("use_linear_projection", false);
  // diffusers' Stable Diffusion 1 configs call the number of heads "attention_head_dim".
  const bool has_heads = !config.get<Json>("num_attention_heads", nullptr).is_null();
  unet.level_heads = per_level(config, has_heads ? "num_attention_heads" : "attention_head_dim",
                               unet.channels.size());

  const auto down = config.get<std::vector<std::string>>("down_block_types");
  auto up = config.get<std::vector<std::string>>("up_block_types");
  std::reverse(up.begin(), up.end());
  if (down.size() != unet.channels.size()) config.refuse("down_block_types", "one for each level");
  if (up.size() != unet.channels.size()) config.refuse("up_block_types", "one for each level");
  for (std::size_t level = 0; level < down.size(); ++level) {
    const bool attention = down[level] == "CrossAttnDownBlock2D";
    if (!attention && down[level] != "DownBlock2D") {
      config.refuse("down_block_types", "CrossAttnDownBlock2D or DownBlock2D");
    }
    if (up[level] != (attention ? "CrossAttnUpBlock2D" : "UpBlock2D")) {
      config.refuse("up_block_types", "the mirror of down_block_types");
    }
    unet.level_attention.push_back(attention);
  }
  return unet;
}

VaeConfig read_vae_config(const Config& config) {
  config.expect("act_fn", "silu");
  config.expect("in_channels", 3);
  config.expect("out_channels", 3);
  config.expect("latent_channels", 4);
  config.expect("use_quant_conv", true);
  config.expect("use_post_quant_conv", true);
  VaeConfig vae;
  vae.channels = config.get<std::vector<int>>("block_out_channels");
  vae.layers_per_level = config.get<int>("layers_per_block");
  vae.norm_groups = config.get<int>("norm_num_groups");
  vae.middle_attention = config.get<bool>("mid_block_add_attention", true);
  return vae;
}

TextEncoderConfig read_text_encoder_config(const Config& config) {
  TextEncoderConfig text;
  text.width = config.get<int>("hidden_size");
  text.inner_width = config.get<int>("intermediate_size");
  text.layers = config.get<int>("num_hidden_layers");
  text.heads = config.get<int>("num_attention_heads");
  text.positions = config.get<int>("max_position_embeddings");
  text.vocabulary = config.get<int>("vocab_size");
  text.norm_epsilon = config.get<double>("layer_norm_eps", 1e-5);
  const auto activation = config.get<std::string>("hidden_act");
  if (activation != "quick_gelu" && activation != "gelu") {
    config.refuse("hidden_act", "quick_gelu or gelu");
  }
  text.quick_gelu = activation == "quick_gelu";
  return text;
}

NoiseScheduleConfig read_noise_schedule(const Config& config) {
  NoiseScheduleConfig schedule;
  schedule.beta_schedule = parse_beta_schedule(config.get<std::string>("beta_schedule"));
  schedule.beta_start = config.get<double>("beta_start");
  schedule.beta_end = config.get<double>("beta_end");
  schedule.train_timesteps = config.get<int>("num_train_timesteps");
  schedule.prediction_type =
      parse_prediction_type(config.get<std::string>("prediction_type", "epsilon"));
  schedule.steps_offset = config.get<int>("steps_offset", 0);
  return schedule;
}

/// transformers 4 writes CLIP's keys under "text_model.", transformers 5 without; some files hold a
/// position_ids buffer, which is no weight.
TensorMap canonical_text_weights(const TensorMap& tensors) {
  constexpr std::string_view kPrefix = "text_model.";
  TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with("position_ids")) continue;
    result[name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name] = tensor;
  }
  return result;
}

std::string dtype_text(const TensorMap& weights) {
  switch (weights.begin()->second.scalar_type()) {
    case at::kHalf:
      return "fp16";
    case at::kBFloat16:
      return "bf16";
    default:
      return "fp32";
  }
}

void refuse_unknown_tensors(const TensorMap& weights, const std::set<std::string>& used,
                            const fs::path& file) {
  for (const auto& [name, tensor] : weights) {
    if (!used.contains(name)) {
      throw DataError(file.string() + ": tensor \"" + name +
                      "\" is unknown: this anatomy has no place for it");
    }
  }
}

/// The bundle's folder while it is being made: beside its destination, removed unless committed.
class StagingFolder {
 public:
  explicit StagingFolder(const fs::path& destination)
      : path_(destination.string() + ".partial"), destination_(destination) {
    fs::remove_all(path_);
    prepare_output_folder(path_);
  }
  ~StagingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  const fs::path& path() const { return path_; }

  void commit() {
    fs::remove_all(destination_);
    fs::rename(path_, destination_);
  }

 private:
  fs::path path_;
  fs::path destination_;
};

void save_program(const Composer::Program& program, const fs::path& file) {
  std::ostringstream archive;
  program.module.save(archive);
  write_file_atomically(file, archive.str());
}

BundleInfo write_parts(const fs::path& checkpoint, const fs::path& folder) {
  BundleInfo info;

  const fs::path text_file = checkpoint / "text_encoder/model.safetensors";
  const Config text_json(checkpoint / "text_encoder/config.json");
  const TextEncoderConfig text = read_text_encoder_config(text_json);
  const TensorMap text_weights = canonical_text_weights(map_safetensors(text_file).tensors);
  const auto text_program = compose_text_encoder(text, text_weights, text_file.string());
  refuse_unknown_tensors(text_weights, text_program.used, text_file);
  save_program(text_program, folder / "text_encoder.ts");
  write_safetensors(folder / "text_encoder.safetensors", text_weights);
  info.text_width = text.width;
  info.text_layers = text.layers;

  const fs::path unet_file = checkpoint / "unet/diffusion_pytorch_model.safetensors";
  const UNetConfig unet = read_unet_config(checkpoint / "unet/config.json");
  if (unet.context_width != text.width) {
    throw DataError((checkpoint / "unet/config.json").string() +
                    ": cross_attention_dim: expected the text encoder's width " +
                    std::to_string(text.width) + ", found " + std::to_string(unet.context_width));
  }
  const TensorMap unet_weights = map_safetensors(unet_file).tensors;
  const auto unet_program = compose_unet(unet, unet_weights, unet_file.string());
  refuse_unknown_tensors(unet_weights, unet_program.used, unet_file);
  save_program(unet_program, folder / "unet.ts");
  write_safetensors(folder / "unet.safetensors", unet_weights);
  info.dtype = dtype_text(unet_weights);

  const fs::path vae_file = checkpoint / "vae/diffusion_pytorch_model.safetensors";
  const Config vae_json(checkpoint / "vae/config.json");
  const VaeConfig vae = read_vae_config(vae_json);
  const TensorMap vae_weights = map_safetensors(vae_file).tensors;
  const auto encoder = compose_vae_encoder(vae, vae_weights, vae_file.string());
  const auto decoder = compose_vae_decoder(vae, vae_weights, vae_file.string());
  std::set<std::string> vae_used = encoder.used;
  vae_used.insert(decoder.used.begin(), decoder.used.end());
  refuse_unknown_tensors(vae_weights, vae_used, vae_file);
  save_program(encoder, folder / "vae_encoder.ts");
  save_program(decoder, folder / "vae_decoder.ts");
  write_safetensors(folder / "vae.safetensors", vae_weights);
  info.latent_channels = vae.latent_channels;
  info.latent_scale = vae_json.get<double>("scaling_factor", 0.18215);
  info.vae_factor = 1 << (vae.channels.size() - 1);

  const Config unet_json(checkpoint / "unet/config.json");
  info.native_size_px = unet_json.get<int>("sample_size") * info.vae_factor;
  info.noise_schedule = read_noise_schedule(Config(checkpoint / "scheduler/scheduler_config.json"));
  return info;
}

}  // namespace

BundleInfo import_diffusers(const fs::path& checkpoint, const fs::path& destination,
                            const std::string& name, bool replace) {
  if (!fs::is_regular_file(checkpoint / "model_index.json")) {
    throw MissingInputError(
        checkpoint.string() +
        ": no model_index.json here: expected a model in diffusers' folder layout");
  }
  if (fs::exists(destination) && !replace) {
    throw CannotCreateError(destination.string() + ": exists already; --force replaces it");
  }
  StagingFolder staging(destination);
  BundleInfo info = write_parts(checkpoint, staging.path());
  info.name = name;
  info.origin = checkpoint.filename().string();

  fs::create_directory(staging.path() / "tokenizer");
  for (const auto& entry : fs::directory_iterator(checkpoint / "tokenizer")) {
    write_file_atomically(staging.path() / "tokenizer" / entry.path().filename(),
                          read_file(entry.path()));
  }
  load_tokenizer(staging.path() / "tokenizer");  // proves it before the bundle is taken for whole

  const fs::path card_file = checkpoint / "sdx.json";
  if (fs::exists(card_file)) {
    const Config card(card_file);
    info.licence = card.get<std::string>("licence", info.licence);
    info.guidance_scale = card.get<double>("guidance_scale", info.guidance_scale);
    info.init_text = card.get<std::string>("init_text", info.init_text);
  }
  write_bundle_info(staging.path(), info);
  staging.commit();
  return info;
}

}  // namespace sdx
