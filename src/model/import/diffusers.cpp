#include "model/import/diffusers.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "model/import/diffusers_config.h"
#include "model/import/learnt_words.h"
#include "model/import/original_text.h"
#include "model/import/tensor_file.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

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
    const Json map = DiffusersConfig(index).get<Json>("weight_map");
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
                         const std::string& variant, ModelCheckpoint& checkpoint) {
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

/// transformers 4 writes CLIP's keys under "text_model.", transformers 5 without.
/// @param projects  whether the layer behind the encoder is read, too
TensorMap canonical_text_weights(const TensorMap& tensors, bool projects,
                                 std::vector<std::string>& unused) {
  constexpr std::string_view kPrefix = "text_model.";
  TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    const std::string inner = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
    const bool is_projection = projects && inner == "text_projection.weight";
    if (is_unused_in_clip(inner) && !is_projection) {
      unused.push_back(name);
    } else {
      result[inner] = tensor;
    }
  }
  return result;
}

/// @param projects  whether it gives a pooled vector
CheckpointTextEncoder read_text_encoder(const fs::path& folder, bool projects,
                                        const ImportOptions& options, ModelCheckpoint& checkpoint) {
  const DiffusersConfig config(folder / "config.json");
  CheckpointTextEncoder encoder;
  encoder.config = read_text_encoder_config(config);
  if (projects) {
    encoder.config.pooled_width = read_projection_width(config);
    encoder.config.norms_output = false;
  }
  encoder.weights = read_weights(folder, "model", options.variant, checkpoint);
  encoder.weights.tensors =
      canonical_text_weights(encoder.weights.tensors, projects, checkpoint.unused);
  return encoder;
}

/// The text encoders and the tokenizer that they share; of the second tokenizer only the padding
/// is its own.
void read_text_encoders(const fs::path& folder, bool is_xl, const ImportOptions& options,
                        ModelCheckpoint& checkpoint) {
  checkpoint.tokenizer_folder = folder / "tokenizer";
  checkpoint.tokenizer = read_tokenizer_settings(checkpoint.tokenizer_folder);
  std::vector<CheckpointTextEncoder>& encoders = checkpoint.text_encoders;
  encoders.push_back(
      read_text_encoder(folder / "text_encoder", /*projects=*/false, options, checkpoint));
  if (!is_xl) return;
  cut_first_of_xl(encoders.front(), checkpoint.unused);
  encoders.push_back(
      read_text_encoder(folder / "text_encoder_2", /*projects=*/true, options, checkpoint));
  const std::int64_t pad = read_tokenizer_settings(folder / "tokenizer_2").special_tokens.pad;
  if (pad != checkpoint.tokenizer.special_tokens.pad) encoders.back().pad = pad;
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
                                           "StableDiffusionInpaintPipeline",
                                           "SemanticStableDiffusionPipeline",
                                           "CycleDiffusionPipeline"};

/// Those with two text encoders.
constexpr std::string_view kXlParts[] = {
    "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline", "StableDiffusionXLPAGPipeline",
    "StableDiffusionXLPAGImg2ImgPipeline"};

/// What other pipelines are, by a part of their names; the first that fits.
constexpr std::pair<std::string_view, std::string_view> kOtherPipelines[] = {
    {"StableDiffusion3", "Stable Diffusion 3"},
    {"Flux", "Flux"},
    {"ControlNet", "a model with a ControlNet; import the model that it was made for"},
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

/// Refuses what is in diffusers' layout but no text-to-image Stable Diffusion 1, 2 or XL.
/// @return whether it has the two text encoders of Stable Diffusion XL.
bool require_stable_diffusion(const fs::path& index_file, ModelCheckpoint& checkpoint) {
  const DiffusersConfig index(index_file);
  const auto kind = index.get<std::string>("_class_name");
  if (index.get<bool>("requires_aesthetics_score", false)) {
    index.refuse("requires_aesthetics_score",
                 "false; this is the refiner of Stable Diffusion XL, which finishes pictures of a "
                 "base model");
  }
  for (const std::span<const std::string_view> kinds :
       {std::span<const std::string_view>(kSameParts),
        std::span<const std::string_view>(kXlParts)}) {
    if (std::ranges::find(kinds, kind) == kinds.end()) continue;
    if (kind != kinds.front()) {
      checkpoint.remarks.push_back("Its pipeline is " + kind + ", whose parts are those of " +
                                   std::string(kinds.front()) + ".");
    }
    const bool is_xl = kinds.front() == kXlParts[0];
    checkpoint.zero_empty_negative = index.get<bool>("force_zeros_for_empty_prompt", is_xl);
    return is_xl;
  }
  std::string what = "a pipeline that is not known here";
  for (const auto& [part, meaning] : kOtherPipelines) {
    if (kind.find(part) == kind.npos) continue;
    what = meaning;
    break;
  }
  throw DataError(index_file.string() +
                  ": _class_name: expected StableDiffusionPipeline or StableDiffusionXLPipeline, "
                  "found " +
                  in_quotes(kind) + ": this is " + what);
}

/// A number for each channel of the latents; empty where the config says none.
std::vector<double> read_for_channels(const DiffusersConfig& config, const std::string& key,
                                      const VaeConfig& vae) {
  auto values = config.get<std::vector<double>>(key, {});
  if (!values.empty() && values.size() != static_cast<std::size_t>(vae.latent_channels)) {
    config.refuse(key, std::to_string(vae.latent_channels) + " numbers, one for each channel");
  }
  if (key == "latents_std" && std::ranges::any_of(values, [](double x) { return !(x > 0); })) {
    config.refuse(key, "numbers above 0");
  }
  return values;
}

void read_card(const fs::path& file, ModelCheckpoint& checkpoint) {
  if (!fs::exists(file)) return;
  const Json card = read_json_file(file);
  checkpoint.licence = json_value<std::string>(card, "licence", file, "");
  if (card.contains("guidance_scale")) {
    checkpoint.guidance_scale = json_value<double>(card, "guidance_scale", file);
  }
  if (card.contains("sampler")) checkpoint.sampler = json_enum<SamplerKind>(card, "sampler", file);
  if (card.contains("init_text")) {
    checkpoint.init_text = json_value<std::string>(card, "init_text", file);
  }
  checkpoint.known_words =
      json_value<std::vector<std::string>>(card, "known_words", file, std::vector<std::string>());
}

}  // namespace

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

void read_vae_folder(const fs::path& folder, const ImportOptions& options,
                     ModelCheckpoint& checkpoint) {
  const DiffusersConfig config(folder / "config.json");
  checkpoint.vae_config = read_vae_config(config);
  checkpoint.latent_scale = config.get<double>("scaling_factor", kUsualLatentScale);
  checkpoint.latent_mean = read_for_channels(config, "latents_mean", checkpoint.vae_config);
  checkpoint.latent_deviation = read_for_channels(config, "latents_std", checkpoint.vae_config);
  checkpoint.vae = read_weights(folder, "diffusion_pytorch_model", options.variant, checkpoint);
  checkpoint.vae.tensors = canonical_vae_weights(checkpoint.vae.tensors);
}

ModelCheckpoint read_diffusers_folder(const fs::path& folder, const ImportOptions& options) {
  const fs::path index_file = folder / "model_index.json";
  if (!fs::is_regular_file(index_file)) {
    throw MissingInputError(
        folder.string() +
        ": no model_index.json here: expected a model in diffusers' folder layout");
  }
  ModelCheckpoint checkpoint;
  const bool is_xl = require_stable_diffusion(index_file, checkpoint);
  const DiffusersConfig unet_json(folder / "unet/config.json");
  checkpoint.unet_config = read_unet_config(unet_json);
  checkpoint.noise_schedule = read_noise_schedule(
      DiffusersConfig(folder / "scheduler/scheduler_config.json"), checkpoint.remarks);
  const bool is_edm = checkpoint.noise_schedule.beta_schedule == BetaSchedule::kEdm;
  if (options.prediction && !is_edm) {
    checkpoint.noise_schedule.prediction_type = *options.prediction;
  }
  if (checkpoint.noise_schedule.zero_terminal_snr &&
      checkpoint.noise_schedule.prediction_type == PredictionType::kEpsilon) {
    throw DataError(
        (folder / "scheduler/scheduler_config.json").string() +
        ": rescale_betas_zero_snr: a model of the noise (prediction_type epsilon) "
        "cannot begin at pure noise; correct the file, or say `prediction` v_prediction");
  }
  read_text_encoders(folder, is_xl, options, checkpoint);
  checkpoint.unet =
      read_weights(folder / "unet", "diffusion_pytorch_model", options.variant, checkpoint);
  read_vae_folder(folder / "vae", options, checkpoint);
  const int factor = 1 << (checkpoint.vae_config.channels.size() - 1);
  checkpoint.native_size_px = read_sample_size(unet_json) * factor;

  if (const fs::path identity = folder / "identity"; fs::is_directory(identity)) {
    checkpoint.identity_config = read_identity_config(DiffusersConfig(identity / "config.json"));
    checkpoint.identity = read_weights(identity, "model", options.variant, checkpoint);
  }

  std::vector<std::vector<AddedWord>> added = {list_added_words(checkpoint.tokenizer_folder)};
  if (is_xl) added.push_back(list_added_words(folder / "tokenizer_2"));
  take_learnt_words(added, folder, checkpoint);
  read_card(folder / "sdx.json", checkpoint);
  return checkpoint;
}

}  // namespace sdx
