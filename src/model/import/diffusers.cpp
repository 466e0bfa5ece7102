#include "model/import/diffusers.h"

#include <algorithm>
#include <array>
#include <set>

#include "model/import/learnt_words.h"
#include "model/import/original_text.h"
#include "model/import/tensor_file.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// One config.json of the checkpoint, read with errors that name file and key.
class Config {
 public:
  explicit Config(fs::path file) : file_(std::move(file)), json_(read_json_file(file_)) {
    if (!json_.is_object()) {
      throw DataError(file_.string() + ": expected an object, found " + describe_json(json_));
    }
  }

  template <typename T>
  T get(const std::string& key) const {
    return json_value<T>(json_, key, file_);
  }
  template <typename T>
  T get(const std::string& key, T fallback) const {
    return json_value<T>(json_, key, file_, fallback);
  }

  template <NamedEnum E>
  E get_enum(const std::string& key) const {
    return json_enum<E>(json_, key, file_);
  }
  template <NamedEnum E>
  E get_enum(const std::string& key, E fallback) const {
    return get<Json>(key, Json(nullptr)).is_null() ? fallback : get_enum<E>(key);
  }

  /// A value that may also be a list of the same for each level, as diffusers takes it.
  template <typename T>
  T get_uniform(const std::string& key) const {
    const Json value = get<Json>(key);
    if (!value.is_array() || value.empty()) return get<T>(key);
    const auto list = get<std::vector<T>>(key);
    if (std::ranges::any_of(list, [&](const T& item) { return item != list.front(); })) {
      refuse(key, "the same for each level");
    }
    return list.front();
  }
  template <typename T>
  T get_uniform(const std::string& key, T fallback) const {
    return get<Json>(key, Json(nullptr)).is_null() ? fallback : get_uniform<T>(key);
  }

  /// Refuses a value that this anatomy does not have; an absent key means the expected one.
  template <typename T>
  void expect(const std::string& key, const T& expected) const {
    expect_one_of(key, std::vector<Json>{Json(expected)});
  }
  void expect_one_of(const std::string& key, const std::vector<Json>& expected) const {
    const Json found = get<Json>(key, expected.front());
    if (std::ranges::find(expected, found) != expected.end()) return;
    std::vector<std::string> texts;
    for (const Json& each : expected) texts.push_back(each.dump());
    refuse(key, join(texts, " or "));
  }
  /// The same of a value that may also be a list of it.
  template <typename T>
  void expect_each(const std::string& key, const T& expected) const {
    const Json found = get<Json>(key, Json(expected));
    if (!found.is_array()) return expect(key, expected);
    for (const Json& item : found) {
      if (item != Json(expected)) refuse(key, Json(expected).dump());
    }
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const {
    throw DataError(file_.string() + ": " + key + ": expected " + expected + ", found " +
                    describe_json(get<Json>(key, Json(nullptr))) +
                    "; only the anatomy of Stable Diffusion 1 and 2 can be imported");
  }

 private:
  fs::path file_;
  Json json_;
};

/// A value that may be given once for all levels or as a list, one for each.
std::vector<int> per_level(const Config& config, const std::string& key, std::size_t levels) {
  const Json value = config.get<Json>(key);
  if (!value.is_array()) return std::vector<int>(levels, config.get<int>(key));
  const auto list = config.get<std::vector<int>>(key);
  if (list.size() != levels) config.refuse(key, std::to_string(levels) + " values");
  return list;
}

/// diffusers knows the activation by two names.
void expect_silu(const Config& config) { config.expect_one_of("act_fn", {"silu", "swish"}); }

/// What a key of the UNet's config may say besides what read_unet_config() takes over. An absent
/// key is the default of diffusers' UNet2DConditionModel (0.42), which is the value here. Keys that
/// this anatomy does not look at (dropout, upcast_attention, sizes of what it does not have) may
/// say anything.
void require_known_unet(const Config& config) {
  expect_silu(config);
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
  config.expect_each("only_cross_attention", false);
  config.expect("mid_block_only_cross_attention", false);
  config.expect("mid_block_scale_factor", 1);
  config.expect("resnet_out_scale_factor", 1);
  config.expect("resnet_skip_time_act", false);
  config.expect("conv_in_kernel", 3);
  config.expect("conv_out_kernel", 3);
  config.expect("attention_type", "default");
  for (const char* key :
       {"addition_embed_type", "class_embed_type", "cross_attention_norm", "encoder_hid_dim",
        "encoder_hid_dim_type", "num_class_embeds", "reverse_transformer_layers_per_block",
        "time_cond_proj_dim", "time_embedding_act_fn", "timestep_post_act"}) {
    config.expect(key, nullptr);
  }
}

UNetConfig read_unet_config(const Config& config) {
  require_known_unet(config);
  UNetConfig unet;
  unet.channels = config.get<std::vector<int>>("block_out_channels");
  if (unet.channels.empty() || std::ranges::min(unet.channels) < 1) {
    config.refuse("block_out_channels", "the channels of each level");
  }
  unet.layers_per_level = config.get_uniform<int>("layers_per_block");
  unet.transformer_depth = config.get_uniform<int>("transformer_layers_per_block", 1);
  unet.context_width = config.get_uniform<int>("cross_attention_dim");
  unet.norm_groups = config.get<int>("norm_num_groups");
  unet.norm_epsilon = config.get<double>("norm_eps", 1e-5);
  unet.linear_projection = config.get<bool>("use_linear_projection", false);
  constexpr int kTimeWidth = 4;  // times the channels of the first level
  config.expect_one_of("time_embedding_dim", {nullptr, kTimeWidth * unet.channels.front()});
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

/// The side of the latents that the UNet was trained on; diffusers takes 64 where none is said.
int read_sample_size(const Config& config) {
  constexpr int kUsual = 64;
  const Json value = config.get<Json>("sample_size", Json(kUsual));
  if (!value.is_array()) return config.get<int>("sample_size", kUsual);
  const auto sides = config.get<std::vector<int>>("sample_size");
  if (sides.size() != 2 || std::ranges::min(sides) < 1) {
    config.refuse("sample_size", "a number or two");
  }
  return std::ranges::min(sides);  // of images that are not square
}

VaeConfig read_vae_config(const Config& config) {
  expect_silu(config);
  config.expect("in_channels", 3);
  config.expect("out_channels", 3);
  config.expect("latent_channels", 4);
  config.expect("use_quant_conv", true);
  config.expect("use_post_quant_conv", true);
  config.expect_each("down_block_types", "DownEncoderBlock2D");
  config.expect_each("up_block_types", "UpDecoderBlock2D");
  // What the latents are moved by.
  config.expect_one_of("shift_factor", {nullptr, 0});
  config.expect("latents_mean", nullptr);
  config.expect("latents_std", nullptr);
  VaeConfig vae;
  vae.channels = config.get<std::vector<int>>("block_out_channels");
  if (vae.channels.empty() || std::ranges::min(vae.channels) < 1) {
    config.refuse("block_out_channels", "the channels of each level");
  }
  vae.layers_per_level = config.get_uniform<int>("layers_per_block");
  vae.norm_groups = config.get<int>("norm_num_groups");
  vae.middle_attention = config.get<bool>("mid_block_add_attention", true);
  return vae;
}

TextEncoderConfig read_text_encoder_config(const Config& config) {
  config.expect_one_of("model_type", {"clip_text_model", "clip"});
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

NoiseScheduleConfig read_noise_schedule(const Config& config, Checkpoint& checkpoint) {
  // What the samplers here do not do. The other settings of a scheduler's class are the samplers'
  // own here, and diffusers' pipeline switches clip_sample off itself.
  config.expect("thresholding", false);
  config.expect("use_flow_sigmas", false);
  config.expect("timestep_type", "discrete");
  config.expect_one_of("trained_betas", {nullptr, Json::array()});
  NoiseScheduleConfig schedule;
  schedule.beta_schedule = config.get_enum<BetaSchedule>("beta_schedule");
  schedule.beta_start = config.get<double>("beta_start");
  schedule.beta_end = config.get<double>("beta_end");
  if (!(schedule.beta_start > 0 && schedule.beta_start < 1)) {
    config.refuse("beta_start", "a number between 0 and 1");
  }
  if (!(schedule.beta_end > 0 && schedule.beta_end < 1)) {
    config.refuse("beta_end", "a number between 0 and 1");
  }
  if (schedule.beta_start > schedule.beta_end) {
    config.refuse("beta_end", "no less than beta_start");
  }
  schedule.train_timesteps = config.get<int>("num_train_timesteps");
  constexpr int kMostTimesteps = 1'000'000;
  if (schedule.train_timesteps < 2 || schedule.train_timesteps > kMostTimesteps) {
    config.refuse("num_train_timesteps", "2 to " + std::to_string(kMostTimesteps));
  }
  schedule.prediction_type = config.get_enum("prediction_type", PredictionType::kEpsilon);
  // diffusers' pipeline sets it to 1, whatever an old config says or leaves out.
  schedule.steps_offset = 1;
  if (const int stated = config.get<int>("steps_offset", 1); stated != 1) {
    checkpoint.remarks.push_back("Its scheduler says steps_offset " + std::to_string(stated) +
                                 ", which is outdated; 1 is used, as diffusers' pipeline does.");
  }
  schedule.zero_terminal_snr = config.get<bool>("rescale_betas_zero_snr", false);
  // Only this one is the model's own: the others stand in every file as its class's default, and
  // the samplers here have theirs.
  const auto spacing = config.get<std::string>("timestep_spacing", "");
  if (spacing == to_string(TimestepSpacing::kTrailing)) {
    schedule.timestep_spacing = TimestepSpacing::kTrailing;
  }
  return schedule;
}

/// The files of one part's weights: one, or the shards that an index lists.
std::vector<fs::path> weight_files(const fs::path& folder, const std::string& stem,
                                   const std::string& variant) {
  const std::string infix = variant.empty() ? "" : "." + variant;
  for (const char* extension : {".safetensors", ".bin"}) {
    const fs::path single = folder / (stem + infix + extension);
    if (fs::is_regular_file(single)) return {single};
    const fs::path index = folder / (stem + extension + ".index" + infix + ".json");
    if (!fs::is_regular_file(index)) continue;
    std::set<fs::path> shards;
    const Json map = Config(index).get<Json>("weight_map");
    for (const auto& [name, file] : map.items()) {
      shards.insert(folder / json_value<std::string>(map, name, index));
    }
    for (const fs::path& shard : shards) {
      if (!fs::is_regular_file(shard)) {
        throw MissingInputError(shard.string() + ": missing; " + index.filename().string() +
                                " lists it among " + std::to_string(shards.size()) + " shards");
      }
    }
    return {shards.begin(), shards.end()};
  }
  return {};
}

/// The words between stem and extension of the files that are there ("fp16", "non_ema").
std::set<std::string> variants_in(const fs::path& folder, const std::string& stem) {
  std::set<std::string> variants;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const std::string ending = ".safetensors";
    if (name.starts_with(stem + ".") && name.ends_with(ending) &&
        name.size() > stem.size() + 1 + ending.size()) {
      variants.insert(name.substr(stem.size() + 1, name.size() - stem.size() - 1 - ending.size()));
    }
  }
  return variants;
}

/// Maps the weights of one part and adds their files to the checkpoint's.
PartWeights read_weights(const fs::path& folder, const std::string& stem,
                         const std::string& variant, Checkpoint& checkpoint) {
  std::vector<fs::path> files = weight_files(folder, stem, variant);
  const std::set<std::string> variants = variants_in(folder, stem);
  if (files.empty() && variant.empty() && variants.size() == 1) {
    files = weight_files(folder, stem, *variants.begin());
    checkpoint.remarks.push_back("The only weights in " + folder.filename().string() +
                                 " are used: variant " + *variants.begin() + ".");
  }
  if (files.empty()) {
    std::string found;
    for (const std::string& one : variants) found += (found.empty() ? "" : ", ") + one;
    throw MissingInputError(
        (folder / (stem + (variant.empty() ? "" : "." + variant) + ".safetensors")).string() +
        ": missing" +
        (found.empty() ? "" : "; there are the variants " + found + ", chosen with `variant`"));
  }
  PartWeights weights;
  weights.source = files.size() == 1 ? files.front().string() : folder.string();
  for (const fs::path& file : files) {
    TensorFile content = map_tensor_file(file);
    weights.tensors.merge(content.tensors);
    if (content.source) checkpoint.files.push_back(*content.source);
  }
  return weights;
}

/// Before diffusers 0.15 the VAE's attention had names of its own; some files hold its matrices as
/// 1 × 1 convolutions.
TensorMap canonical_vae_weights(const TensorMap& tensors) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kOldNames = {
      {{".query.", ".to_q."},
       {".key.", ".to_k."},
       {".value.", ".to_v."},
       {".proj_attn.", ".to_out.0."}}};
  TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    std::string renamed = name;
    at::Tensor matrix = tensor;
    if (name.find(".attentions.") != std::string::npos) {
      for (const auto& [from, to] : kOldNames) {
        if (const auto at = renamed.find(from); at != std::string::npos) {
          renamed.replace(at, from.size(), to);
        }
      }
      if (tensor.dim() == 4) matrix = tensor.flatten(1);
    }
    result[renamed] = matrix;
  }
  return result;
}

/// transformers 4 writes CLIP's keys under "text_model.", transformers 5 without.
TensorMap canonical_text_weights(const TensorMap& tensors, std::vector<std::string>& unused) {
  constexpr std::string_view kPrefix = "text_model.";
  TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    const std::string inner = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
    if (is_unused_in_clip(inner)) {
      unused.push_back(name);
    } else {
      result[inner] = tensor;
    }
  }
  return result;
}

/// Pipelines that use the parts of StableDiffusionPipeline in another way.
constexpr std::string_view kSameParts[] = {"StableDiffusionPipeline",
                                           "StableDiffusionImg2ImgPipeline",
                                           "StableDiffusionPanoramaPipeline",
                                           "StableDiffusionPipelineSafe",
                                           "StableDiffusionInpaintPipelineLegacy",
                                           "StableDiffusionSAGPipeline",
                                           "StableDiffusionPAGPipeline",
                                           "StableDiffusionPAGImg2ImgPipeline",
                                           "StableDiffusionAttendAndExcitePipeline",
                                           "StableDiffusionDiffEditPipeline",
                                           "StableDiffusionModelEditingPipeline",
                                           "StableDiffusionParadigmsPipeline",
                                           "StableDiffusionPix2PixZeroPipeline",
                                           "StableDiffusionKDiffusionPipeline",
                                           "StableDiffusionLongPromptWeightingPipeline",
                                           "StableDiffusionMegaPipeline",
                                           "SemanticStableDiffusionPipeline",
                                           "CycleDiffusionPipeline"};

/// What other pipelines are, by a part of their names; the first that fits.
constexpr std::pair<std::string_view, std::string_view> kOtherPipelines[] = {
    {"StableDiffusionXL", "Stable Diffusion XL, which comes in a later version"},
    {"StableDiffusion3", "Stable Diffusion 3"},
    {"Flux", "Flux"},
    {"ControlNet", "a model with a ControlNet; import the model that it was made for"},
    {"Inpaint", "an inpainting model, whose UNet reads 9 channels"},
    {"InstructPix2Pix", "an image-editing model, whose UNet reads 8 channels"},
    {"Depth2Img", "a depth-guided model, whose UNet reads 5 channels"},
    {"Upscale", "a model that enlarges images"},
    {"ImageVariation", "a model that takes an image in place of a prompt"},
    {"CLIPPipeline", "a model that takes an image in place of a prompt"},
    {"CLIPImg2Img", "a model that takes an image in place of a prompt"},
    {"Adapter", "a model with an adapter; import the model that it was made for"},
    {"GLIGEN", "a model whose UNet has layers for boxes"},
    {"LDM3D", "a model that makes depths, too"},
    {"LatentConsistency", "a model of few steps, whose UNet is told the guidance"},
    {"AnimateDiff", "a model of films"},
    {"Video", "a model of films"},
    {"Onnx", "a model of ONNX; its original of PyTorch is needed"},
    {"ORT", "a model of ONNX; its original of PyTorch is needed"},
    {"Flax", "a model of Flax; its original of PyTorch is needed"},
    {"AltDiffusion", "a model with another text encoder"},
};

/// Refuses what is in diffusers' layout but no text-to-image Stable Diffusion 1 or 2.
void require_stable_diffusion(const fs::path& index_file, Checkpoint& checkpoint) {
  const auto kind = Config(index_file).get<std::string>("_class_name");
  if (std::ranges::find(kSameParts, kind) != std::end(kSameParts)) {
    if (kind == kSameParts[0]) return;
    checkpoint.remarks.push_back("Its pipeline is " + kind +
                                 ", whose parts are those of StableDiffusionPipeline.");
    return;
  }
  std::string what = "a pipeline that is not known here";
  for (const auto& [part, meaning] : kOtherPipelines) {
    if (kind.find(part) == kind.npos) continue;
    what = meaning;
    break;
  }
  throw DataError(index_file.string() + ": _class_name: expected StableDiffusionPipeline, found " +
                  in_quotes(kind) + ": this is " + what);
}

IdentityConfig read_identity_config(const Config& config) {
  IdentityConfig identity;
  identity.size_px = config.get<int>("size_px");
  identity.channels = config.get<std::vector<int>>("channels");
  identity.hidden_width = config.get<int>("hidden_width");
  identity.width = config.get<int>("width");
  identity.same_person_cosine = config.get<double>("same_person_cosine");
  return identity;
}

void read_card(const fs::path& file, Checkpoint& checkpoint) {
  if (!fs::exists(file)) return;
  const Json card = read_json_file(file);
  checkpoint.licence = json_value<std::string>(card, "licence", file, "");
  if (card.contains("guidance_scale")) {
    checkpoint.guidance_scale = json_value<double>(card, "guidance_scale", file);
  }
  if (card.contains("init_text")) {
    checkpoint.init_text = json_value<std::string>(card, "init_text", file);
  }
}

}  // namespace

Checkpoint read_diffusers_folder(const fs::path& folder, const ImportOptions& options) {
  const fs::path index_file = folder / "model_index.json";
  if (!fs::is_regular_file(index_file)) {
    throw MissingInputError(
        folder.string() +
        ": no model_index.json here: expected a model in diffusers' folder layout");
  }
  Checkpoint checkpoint;
  require_stable_diffusion(index_file, checkpoint);
  checkpoint.text_config = read_text_encoder_config(Config(folder / "text_encoder/config.json"));
  const Config unet_json(folder / "unet/config.json");
  checkpoint.unet_config = read_unet_config(unet_json);
  const Config vae_json(folder / "vae/config.json");
  checkpoint.vae_config = read_vae_config(vae_json);
  checkpoint.noise_schedule =
      read_noise_schedule(Config(folder / "scheduler/scheduler_config.json"), checkpoint);
  if (options.prediction) checkpoint.noise_schedule.prediction_type = *options.prediction;
  if (checkpoint.noise_schedule.zero_terminal_snr &&
      checkpoint.noise_schedule.prediction_type == PredictionType::kEpsilon) {
    throw DataError(
        (folder / "scheduler/scheduler_config.json").string() +
        ": rescale_betas_zero_snr: a model of the noise (prediction_type epsilon) "
        "cannot begin at pure noise; correct the file, or say `prediction` v_prediction");
  }
  checkpoint.latent_scale = vae_json.get<double>("scaling_factor", 0.18215);
  const int factor = 1 << (checkpoint.vae_config.channels.size() - 1);
  checkpoint.native_size_px = read_sample_size(unet_json) * factor;

  checkpoint.text_encoder =
      read_weights(folder / "text_encoder", "model", options.variant, checkpoint);
  checkpoint.text_encoder.tensors =
      canonical_text_weights(checkpoint.text_encoder.tensors, checkpoint.unused);
  checkpoint.unet =
      read_weights(folder / "unet", "diffusion_pytorch_model", options.variant, checkpoint);
  checkpoint.vae =
      read_weights(folder / "vae", "diffusion_pytorch_model", options.variant, checkpoint);
  checkpoint.vae.tensors = canonical_vae_weights(checkpoint.vae.tensors);

  if (const fs::path identity = folder / "identity"; fs::is_directory(identity)) {
    checkpoint.identity_config = read_identity_config(Config(identity / "config.json"));
    checkpoint.identity = read_weights(identity, "model", options.variant, checkpoint);
  }

  checkpoint.tokenizer_folder = folder / "tokenizer";
  checkpoint.tokenizer = read_tokenizer_settings(checkpoint.tokenizer_folder);
  take_learnt_words(list_added_words(checkpoint.tokenizer_folder), folder, checkpoint);
  read_card(folder / "sdx.json", checkpoint);
  return checkpoint;
}

}  // namespace sdx
