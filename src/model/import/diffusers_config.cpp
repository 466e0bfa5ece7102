#include "model/import/diffusers_config.h"

#include <array>
#include <utility>

#include "model/import/edm_marks.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// A value that may be given once for all levels or as a list, one for each.
std::vector<int> per_level(const DiffusersConfig& config, const std::string& key,
                           std::size_t levels) {
  const Json value = config.get<Json>(key);
  if (!value.is_array()) return std::vector<int>(levels, config.get<int>(key));
  const auto list = config.get<std::vector<int>>(key);
  if (list.size() != levels) config.refuse(key, std::to_string(levels) + " values");
  return list;
}

/// diffusers knows the activation by two names.
void expect_silu(const DiffusersConfig& config) {
  config.expect_one_of("act_fn", {"silu", "swish"});
}

/// What a key of the UNet's config may say besides what read_unet_config() takes over. An absent
/// key is the default of diffusers' UNet2DConditionModel (0.42), which is the value here. Keys that
/// this anatomy does not look at (dropout, upcast_attention, sizes of what it does not have) may
/// say anything.
void require_known_unet(const DiffusersConfig& config) {
  expect_silu(config);
  config.expect("center_input_sample", false);
  config.expect("flip_sin_to_cos", true);
  config.expect("freq_shift", 0);
  config.expect("downsample_padding", 1);
  config.expect("dual_cross_attention", false);
  config.expect("resnet_time_scale_shift", "default");
  config.expect("time_embedding_type", "positional");
  config.expect_each("only_cross_attention", false);
  config.expect("mid_block_only_cross_attention", false);
  config.expect("mid_block_scale_factor", 1);
  config.expect("resnet_out_scale_factor", 1);
  config.expect("resnet_skip_time_act", false);
  config.expect("conv_in_kernel", 3);
  config.expect("conv_out_kernel", 3);
  config.expect("attention_type", "default");
  for (const char* key :
       {"class_embed_type", "cross_attention_norm", "encoder_hid_dim", "encoder_hid_dim_type",
        "num_class_embeds", "time_cond_proj_dim", "time_embedding_act_fn", "timestep_post_act"}) {
    config.expect(key, nullptr);
  }
}

/// Depths of the transformers of some levels, in the order of the config: a number for all, for
/// each level one, or for each layer one.
std::vector<std::vector<int>> read_depths(const DiffusersConfig& config, const std::string& key,
                                          std::size_t levels, std::size_t layers) {
  const auto refuse = [&]() {
    config.refuse(key, "a depth of transformers, one for each of " + std::to_string(levels) +
                           " levels, or for each of their " + std::to_string(layers) + " layers");
  };
  const auto depth = [&](const Json& value) {
    if (!value.is_number_integer() || value < 0 || value > 1000) refuse();
    return value.get<int>();
  };
  const Json stated = config.get<Json>(key, Json(1));
  std::vector<std::vector<int>> depths;
  for (std::size_t level = 0; level < levels; ++level) {
    if (stated.is_array() && stated.size() < levels) refuse();
    const Json& of_level = stated.is_array() ? stated[level] : stated;
    std::vector<int> of_layers;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      if (of_level.is_array() && of_level.size() < layers) refuse();
      of_layers.push_back(depth(of_level.is_array() ? of_level[layer] : of_level));
    }
    depths.push_back(std::move(of_layers));
  }
  return depths;
}

/// The transformers of each level: which levels have some, and how deep they are.
void read_transformers(const DiffusersConfig& config, UNetConfig& unet) {
  const std::size_t levels = unet.channels.size();
  const auto layers = static_cast<std::size_t>(unet.layers_per_level);
  const char* kDown = "transformer_layers_per_block";
  const char* kUp = "reverse_transformer_layers_per_block";
  unet.down_depths = read_depths(config, kDown, levels, layers);
  if (config.get<Json>(kUp, nullptr).is_null()) {
    for (const std::vector<int>& depths : unet.down_depths) {
      unet.up_depths.emplace_back(layers + 1, depths.front());
    }
  } else {
    unet.up_depths = read_depths(config, kUp, levels, layers + 1);
    std::ranges::reverse(unet.up_depths);
  }
  const auto down = config.get<std::vector<std::string>>("down_block_types");
  auto up = config.get<std::vector<std::string>>("up_block_types");
  std::ranges::reverse(up);
  if (down.size() != levels) config.refuse("down_block_types", "one for each level");
  if (up.size() != levels) config.refuse("up_block_types", "one for each level");
  for (std::size_t level = 0; level < levels; ++level) {
    const bool attention = down[level] == "CrossAttnDownBlock2D";
    if (!attention && down[level] != "DownBlock2D") {
      config.refuse("down_block_types", "CrossAttnDownBlock2D or DownBlock2D");
    }
    if (up[level] != (attention ? "CrossAttnUpBlock2D" : "UpBlock2D")) {
      config.refuse("up_block_types", "the mirror of down_block_types");
    }
    if (attention) continue;
    unet.down_depths[level].assign(layers, 0);
    unet.up_depths[level].assign(layers + 1, 0);
  }
}

/// The middle: a transformer between two layers, a layer alone (SSD-1B, Segmind Vega), or nothing
/// (KOALA). diffusers builds it as it builds the first layer of the last level.
std::optional<int> read_middle_depth(const DiffusersConfig& config) {
  const std::string kWith = "UNetMidBlock2DCrossAttn";
  if (config.states_null("mid_block_type")) return std::nullopt;
  config.expect_one_of("mid_block_type", {Json(kWith), "UNetMidBlock2D"});
  if (config.get<std::string>("mid_block_type", kWith) != kWith) return 0;
  Json depth = config.get<Json>("transformer_layers_per_block", Json(1));
  if (depth.is_array() && !depth.empty()) depth = Json(depth.back());
  if (depth.is_array() && !depth.empty()) depth = Json(depth.front());
  if (!depth.is_number_integer()) config.refuse("transformer_layers_per_block", "numbers");
  return depth.get<int>();
}

/// Width of the pooled vector that the UNet takes beside the context; 0 if it takes none.
int read_pooled_width(const DiffusersConfig& config) {
  config.expect_one_of("addition_embed_type", {nullptr, "text_time"});
  if (config.get<Json>("addition_embed_type", nullptr).is_null()) return 0;
  config.expect("addition_time_embed_dim", kSizeIdWidth);
  const char* kKey = "projection_class_embeddings_input_dim";
  const int ids_width = kSizeIds * kSizeIdWidth;
  const int width = config.get<int>(kKey) - ids_width;
  if (width < 1) config.refuse(kKey, "more than " + std::to_string(ids_width));
  return width;
}

}  // namespace

DiffusersConfig::DiffusersConfig(std::filesystem::path file)
    : file_(std::move(file)), json_(read_json_file(file_)) {
  if (!json_.is_object()) {
    throw DataError(file_.string() + ": expected an object, found " + describe_json(json_));
  }
}

void DiffusersConfig::expect_one_of(const std::string& key,
                                    const std::vector<Json>& expected) const {
  const Json found = get<Json>(key, expected.front());
  if (std::ranges::find(expected, found) != expected.end()) return;
  std::vector<std::string> texts;
  for (const Json& each : expected) texts.push_back(each.dump());
  refuse(key, join(texts, " or "));
}

void DiffusersConfig::refuse(const std::string& key, const std::string& expected) const {
  throw DataError(file_.string() + ": " + key + ": expected " + expected + ", found " +
                  describe_json(get<Json>(key, Json(nullptr))) +
                  "; only the anatomies of Stable Diffusion 1, 2 and XL can be imported");
}

UNetConfig read_unet_config(const DiffusersConfig& config) {
  require_known_unet(config);
  UNetConfig unet;
  unet.channels = config.get<std::vector<int>>("block_out_channels");
  if (unet.channels.empty() || std::ranges::min(unet.channels) < 1) {
    config.refuse("block_out_channels", "the channels of each level");
  }
  unet.in_channels = config.get<int>("in_channels", 4);
  unet.out_channels = config.get<int>("out_channels", 4);
  unet.layers_per_level = config.get_uniform<int>("layers_per_block");
  unet.pooled_width = read_pooled_width(config);
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

  read_transformers(config, unet);
  unet.middle_depth = read_middle_depth(config);
  return unet;
}

int read_sample_size(const DiffusersConfig& config) {
  constexpr int kUsual = 64;
  const Json value = config.get<Json>("sample_size", Json(kUsual));
  if (!value.is_array()) return config.get<int>("sample_size", kUsual);
  const auto sides = config.get<std::vector<int>>("sample_size");
  if (sides.size() != 2 || std::ranges::min(sides) < 1) {
    config.refuse("sample_size", "a number or two");
  }
  return std::ranges::min(sides);  // of images that are not square
}

VaeConfig read_vae_config(const DiffusersConfig& config) {
  expect_silu(config);
  config.expect("in_channels", 3);
  config.expect("out_channels", 3);
  config.expect("use_quant_conv", true);
  config.expect("use_post_quant_conv", true);
  config.expect_each("down_block_types", "DownEncoderBlock2D");
  config.expect_each("up_block_types", "UpDecoderBlock2D");
  // What the latents are moved by, but for latents_mean.
  config.expect_one_of("shift_factor", {nullptr, 0});
  VaeConfig vae;
  vae.channels = config.get<std::vector<int>>("block_out_channels");
  if (vae.channels.empty() || std::ranges::min(vae.channels) < 1) {
    config.refuse("block_out_channels", "the channels of each level");
  }
  vae.latent_channels = config.get<int>("latent_channels", 4);
  vae.layers_per_level = config.get_uniform<int>("layers_per_block");
  vae.norm_groups = config.get<int>("norm_num_groups");
  vae.middle_attention = config.get<bool>("mid_block_add_attention", true);
  return vae;
}

TextEncoderConfig read_text_encoder_config(const DiffusersConfig& config) {
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

int read_projection_width(const DiffusersConfig& config) {
  return config.get<int>("projection_dim");
}

NoiseScheduleConfig read_noise_schedule(const DiffusersConfig& config,
                                        std::vector<std::string>& remarks) {
  if (config.get<std::string>("_class_name", "").starts_with("EDM")) {
    return read_edm_schedule(config, remarks);
  }
  // What the samplers here do not do. The other settings of a scheduler's class are the samplers'
  // own here, and diffusers' pipeline switches clip_sample off itself.
  config.expect("thresholding", false);
  config.expect("use_flow_sigmas", false);
  config.expect("timestep_type", "discrete");
  config.expect_one_of("trained_betas", {nullptr, Json::array()});
  NoiseScheduleConfig schedule;
  schedule.beta_schedule = config.get_enum<BetaSchedule>("beta_schedule");
  if (schedule.beta_schedule == BetaSchedule::kEdm) {
    config.refuse("beta_schedule", "linear or scaled_linear");
  }
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
    remarks.push_back("Its scheduler says steps_offset " + std::to_string(stated) +
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

IdentityConfig read_identity_config(const DiffusersConfig& config) {
  IdentityConfig identity;
  identity.size_px = config.get<int>("size_px");
  identity.channels = config.get<std::vector<int>>("channels");
  identity.hidden_width = config.get<int>("hidden_width");
  identity.width = config.get<int>("width");
  identity.same_person_cosine = config.get<double>("same_person_cosine");
  return identity;
}

}  // namespace sdx
