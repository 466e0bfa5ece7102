#include "model/import/diffusers_config.h"

#include <array>
#include <utility>

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
                  "; only the anatomy of Stable Diffusion 1 and 2 can be imported");
}

UNetConfig read_unet_config(const DiffusersConfig& config) {
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

NoiseScheduleConfig read_noise_schedule(const DiffusersConfig& config,
                                        std::vector<std::string>& remarks) {
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
