#include "sdx/generation/infotext.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <span>

#include "sdx/generation/embedding_names.h"
#include "sdx/generation/image_size.h"
#include "sdx/generation/lora_table.h"
#include "sdx/generation/vae_decoder_fields.h"
#include "sdx/model/import/borrowed_vae.h"
#include "sdx/model/upscaler.h"
#include "sdx/scheduler/sampler_names.h"
#include "sdx/util/error.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

constexpr std::size_t kShortHashDigits = 12;

/// "Ada: 0123456789ab, Ben: …" for the embeddings of the prompts that were read from files.
std::string embedding_hashes(const ImageRequest& request, const EmbeddingTable& embeddings) {
  std::vector<std::string> hashes;
  for (const std::string& name : list_embedding_names(request, embeddings)) {
    if (!embeddings.contains(name)) continue;
    const Embedding& embedding = embeddings.at(name);
    if (embedding.file.empty()) continue;
    hashes.push_back(name + ": " + sha256_of_file(embedding.file).substr(0, kShortHashDigits));
  }
  return join(hashes, ", ");
}

std::string upscaler_hash(const std::string& name) {
  return sha256_of_file(find_upscaler(name)).substr(0, kShortHashDigits);
}

/// Whether a text's upscaler is taken over: one of ours always, another program's where a file of
/// its name lies among the models.
bool is_upscaler_read(const Infotext& infotext) {
  const auto name = infotext.field(kUpscalerField);
  if (!name || name->empty() || name->find('/') != std::string::npos) return false;
  if (infotext.field("Version").value_or("").starts_with("sdx ")) return true;
  try {
    find_upscaler(*name);
    return true;
  } catch (const MissingInputError&) {
    return false;
  }
}

class FieldList {
 public:
  explicit FieldList(Infotext& infotext) : infotext_(infotext) {}

  void add(std::string_view key, std::string_view value) {
    infotext_.fields.emplace_back(key, value);
  }
  void add_unless(bool is_usual, std::string_view key, std::string_view value) {
    if (!is_usual) add(key, value);
  }

 private:
  Infotext& infotext_;
};

/// The settings that stand in one place of the text.
void add_settings(FieldList& fields, const ImageOptions& options, InfotextPlace place) {
  for (const auto& row : image_settings().rows()) {
    if (!row.infotext.name || row.infotext.place != place) continue;
    if (row.infotext.when && !row.infotext.when(options)) continue;
    fields.add(row.infotext.name(options),
               row.infotext.text ? row.infotext.text(options) : row.to_text(options));
  }
}

constexpr std::size_t kMostListed = 24;

using IsGiven = std::function<bool(const std::string& key)>;
using SettingRow = SettingsTable<ImageOptions>::Row;

/// What a person may type where a picture's `text` cannot be read.
std::string find_advice(const SettingRow& row, const std::string& text,
                        const ImageOptions& options) {
  const auto number = settings_detail::read_number<double>(text);
  const bool is_whole = number && std::floor(*number) == *number && std::abs(*number) < 1e15;
  if (is_whole && row.info.key == "seed") {
    return *number < 0 ? "random" : std::to_string(static_cast<std::uint64_t>(*number));
  }
  if (is_whole && row.info.key == "clip-skip" && *number < 0) {
    return std::to_string(static_cast<std::int64_t>(-*number));
  }
  return row.to_text(options);
}

void read_value(const SettingRow& row, const std::string& text, ImageOptions& options) {
  try {
    // In a picture it is no distance, but the wish for any seed.
    if (row.info.key == "seed" && (text.starts_with('-') || text.starts_with('+'))) {
      throw SettingError("seed", "a whole number from 0 to 18446744073709551615", text);
    }
    row.set_text(options, text);
  } catch (const Error& error) {
    throw UsageError(std::string(error.what()) + "; type `" + row.info.key + "` " +
                     find_advice(row, text, options));
  }
}

/// A sampler's name may bring a schedule. Each counts where it is not given.
void read_sampler(const std::string& text, ImageOptions& options, const IsGiven& is_given) {
  SamplerSettings& settings = options.settings.sampler;
  if (is_given("sampler") && is_given("schedule")) return;
  const auto match = find_sampler_name(text);
  if (is_given("sampler")) {
    if (match && match->schedule && match->schedule->fit != NameFit::kNearest) {
      settings.schedule = match->schedule->kind;
    }
  } else if (is_given("schedule") && match && match->sampler.fit != NameFit::kNearest) {
    options.sampler = match->sampler.kind;
  } else {
    const SamplerChoice choice = parse_sampler_choice(text);
    options.sampler = choice.sampler;
    if (choice.schedule) settings.schedule = *choice.schedule;
  }
}

/// Fields that say nothing of what the picture looks like, or what is said by other fields.
constexpr std::string_view kFieldsOfNoEffect[] = {"Model hash",
                                                  "Model",
                                                  "VAE hash",
                                                  "VAE",
                                                  "Version",
                                                  "RNG",
                                                  "Batch size",
                                                  "Batch pos",
                                                  "TI hashes",
                                                  kLoraHashes,
                                                  "Hashes",
                                                  "Used embeddings",
                                                  "User",
                                                  "Precision",
                                                  "VAE tile",
                                                  kVaeDecoderFileField,
                                                  kVaeDecoderHashField,
                                                  "ENSD",
                                                  "Template",
                                                  "Negative Template",
                                                  "App",
                                                  "Backend",
                                                  "Pipeline",
                                                  "Operations",
                                                  "Parser",
                                                  "Created Date",
                                                  "Time",
                                                  "Time taken",
                                                  "Civitai resources",
                                                  "Civitai metadata",
                                                  "Guidance",
                                                  "Base model",
                                                  "Base model hash",
                                                  "Metadata scheme",
                                                  "Performance",
                                                  "Prompt lines",
                                                  "Diffusion in Low Bits",
                                                  "Module 1",
                                                  "Module 2",
                                                  "Module 3",
                                                  "Hires Module 1",
                                                  "Pad conds",
                                                  "Wildcard prompt",
                                                  "Wildcard negative prompt",
                                                  "Style Selector Enabled",
                                                  "Beta schedule",
                                                  "Postprocess upscaler hash",
                                                  kFaceDetectorField,
                                                  "Faces refined"};

/// Fields by how they begin, and what they are of.
struct FieldGroup {
  std::string_view beginning;
  std::string_view name;
};

constexpr FieldGroup kFieldGroups[] = {{"ADetailer", "ADetailer"},
                                       {"ControlNet", "ControlNet"},
                                       {"Lora", "LoRA"},
                                       {"LoRA", "LoRA"},
                                       {"AddNet", "LoRA"},
                                       {"Hypernet", "Hypernetwork"},
                                       {"Refiner", "Refiner"},
                                       {"RP ", "Regional Prompter"},
                                       {"Regional Prompter", "Regional Prompter"},
                                       {"Latent Couple", "Latent Couple"},
                                       {"Dynamic thresholding", "Dynamic thresholding"},
                                       {"dynthres", "Dynamic thresholding"},
                                       {"Mimic", "Dynamic thresholding"},
                                       {"Threshold percentile", "Dynamic thresholding"},
                                       {"CFG mode", "Dynamic thresholding"},
                                       {"CFG scale minimum", "Dynamic thresholding"},
                                       {"Separate Feature Channels", "Dynamic thresholding"},
                                       {"Scaling Startpoint", "Dynamic thresholding"},
                                       {"Variability Measure", "Dynamic thresholding"},
                                       {"Interpolate Phi", "Dynamic thresholding"},
                                       {"Tiled Diffusion", "Tiled Diffusion"},
                                       {"Tiled VAE", "Tiled VAE"},
                                       {"FreeU", "FreeU"},
                                       {"freeu", "FreeU"},
                                       {"SAG", "Self-attention guidance"},
                                       {"Self-Attention", "Self-attention guidance"},
                                       {"PAG", "Perturbed-attention guidance"},
                                       {"Cutoff", "Cutoff"},
                                       {"AnimateDiff", "AnimateDiff"},
                                       {"IP-Adapter", "IP-Adapter"},
                                       {"ReActor", "ReActor"},
                                       {"Soft inpainting", "Soft inpainting"},
                                       {"Mask", "Mask"},
                                       {"Inpaint", "Mask"},
                                       {"Ultimate SD upscale", "Ultimate SD upscale"},
                                       {"SD upscale", "SD upscale"},
                                       {"Postprocess", "postprocessing"},
                                       {"Token merging", "Token merging"},
                                       {"CADS", "CADS"},
                                       {"Init image", ""}};

bool is_one_of(std::string_view key, std::span<const std::string_view> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// What a field is of: a group's name, or its own.
std::string find_group(const std::string& key) {
  for (const FieldGroup& group : kFieldGroups) {
    if (key.starts_with(group.beginning)) return std::string(group.name);
  }
  return is_plain_text(key) && key.size() <= 40 ? key : in_quotes(key);
}

/// Whether a value says that something was done: "None", "False" and 0 do not.
bool says_something(const std::string& value) {
  const std::string text = lower_case(trim(value));
  const auto number = settings_detail::read_number<double>(text);
  return !(text.empty() || text == "none" || text == "false" || text == "automatic" ||
           text.starts_with("use same ") || (number && *number == 0));
}

bool is_usual_strength(const std::string& text) {
  const auto number = settings_detail::read_number<double>(text);
  return number && (*number == 0 || *number == 0.7 || *number == 0.75);
}

/// The names of all fields that settings have.
std::set<std::string> list_read_fields() {
  std::set<std::string> names;
  ImageOptions twice;
  twice.settings.hires.scale = 2;
  for (const auto& row : image_settings().rows()) {
    if (!row.infotext.name) continue;
    names.insert(row.infotext.name({}));
    names.insert(row.infotext.name(twice));
  }
  return names;
}

}  // namespace

Infotext infotext(const ImageRequest& request, const Bundle& bundle,
                  const EmbeddingTable& embeddings, const std::string& version,
                  const GenerationInfo& generation_info) {
  const BundleInfo& info = bundle.info();
  ImageOptions options = to_options(request);
  const auto [width_px, height_px] = image_size(request.settings, info);
  options.settings.width_px = width_px;
  options.settings.height_px = height_px;

  Infotext infotext{request.prompt, request.negative_prompt, {}};
  FieldList fields(infotext);
  add_settings(fields, options, InfotextPlace::kBeforeModel);
  fields.add("Model hash", bundle.short_hash());
  fields.add("Model", info.name);
  if (const BorrowedVae* const vae = bundle.borrowed_vae().get()) {
    fields.add_unless(vae->hash.empty(), "VAE hash", vae->hash);
    fields.add("VAE", vae->name);
  }
  add_settings(fields, options, InfotextPlace::kBehindModel);
  if (generation_info.place.size > 1) {
    fields.add("Batch size", std::to_string(generation_info.place.size));
    fields.add("Batch pos", std::to_string(generation_info.place.position));
  }
  fields.add_unless(generation_info.dtype == at::kFloat, "Precision",
                    std::string(precision_name(generation_info.dtype)));
  fields.add_unless(generation_info.piece_px == 0, "VAE tile",
                    std::to_string(generation_info.piece_px));
  const std::string& tiny = request.settings.vae_approx;
  if (!tiny.empty()) add_vae_decoder_fields(tiny, infotext);
  fields.add("RNG", "Philox");
  const std::string hashes = embedding_hashes(request, embeddings);
  fields.add_unless(hashes.empty(), "TI hashes", hashes);
  const std::string of_loras = lora_hashes(request.settings.loras);
  fields.add_unless(of_loras.empty(), kLoraHashes, of_loras);
  add_settings(fields, options, InfotextPlace::kLast);
  const RefinedFaces& faces = generation_info.faces;
  if (!faces.detector.empty()) {
    fields.add(kFaceDetectorField, faces.detector);
    fields.add("Faces refined", std::to_string(faces.count));
  }
  if (!request.settings.upscale.empty()) {
    fields.add("Postprocess upscale by", std::to_string(generation_info.upscale));
    fields.add("Postprocess upscaler hash", upscaler_hash(request.settings.upscale));
  }
  fields.add_unless(request.settings.hires.scale <= 1, "Hires upscaler", "Lanczos");
  fields.add("Version", version);
  return infotext;
}

void read_infotext(const Infotext& infotext, ImageOptions& options,
                   const std::function<bool(const std::string& key)>& is_given) {
  if (!is_given("prompt")) options.prompt = infotext.prompt;
  if (!is_given("negative")) options.negative = infotext.negative_prompt;
  std::vector<std::string> faults;
  // What a field is called may depend on others, which are read before.
  for (const bool is_fixed : {true, false}) {
    for (const auto& row : image_settings().rows()) {
      if (!row.infotext.name || !row.infotext.is_read || row.infotext.is_fixed != is_fixed)
        continue;
      auto text = infotext.field(row.infotext.name(options));
      if (!text) continue;
      try {
        if (row.info.key == "sampler") {
          read_sampler(*text, options, is_given);
        } else if (is_given(row.info.key)) {
          continue;
        } else if (row.info.type != SettingType::kFlag) {
          read_value(row, *text, options);
        } else if (*text == "True") {
          row.set_text(options, "true");
        }
      } catch (const Error& error) {
        faults.emplace_back(error.what());
      }
    }
  }
  if (!is_given("upscale") && is_upscaler_read(infotext)) {
    options.settings.upscale = *infotext.field(kUpscalerField);
  }
  if (const std::string tiny = find_stated_tiny_autoencoder(infotext);
      !tiny.empty() && !is_given("vae-approx")) {
    options.settings.vae_approx = tiny;
  }
  if (!faults.empty()) throw UsageError(join(faults, "; and "));
}

bool was_made_from_image(const Infotext& infotext) {
  for (const char* sure : {"Start strength", "Init image", "Mask", "Mask blur", "Mask mode",
                           "Masked content", "Inpaint area", "Masked area padding",
                           "Conditional mask weight", "Soft inpainting enabled"}) {
    if (infotext.field(sure)) return true;
  }
  const auto strength = infotext.field("Denoising strength");
  if (!strength || infotext.field("Hires upscale")) return false;
  if (infotext.field("Version").value_or("").starts_with("sdx ")) return true;
  return !is_usual_strength(*strength);
}

std::vector<std::string> list_not_taken_over(const Infotext& infotext) {
  const std::set<std::string> read = list_read_fields();
  const bool has_second_pass = infotext.field("Hires upscale").has_value();
  const std::string guidance = infotext.field("CFG scale").value_or("");
  const bool has_upscaler = is_upscaler_read(infotext);
  std::vector<std::string> names;
  for (const auto& [key, value] : infotext.fields) {
    const bool is_upscaler = key == kUpscalerField || key == "Postprocess upscale by";
    if (is_upscaler && has_upscaler) continue;
    if ((read.contains(key) && !is_upscaler) || is_one_of(key, kFieldsOfNoEffect) ||
        !says_something(value))
      continue;
    if (key == "Hires upscaler" && (value == "Lanczos" || !has_second_pass)) continue;
    if (key == "Hires CFG Scale" && value == guidance) continue;
    std::string name = find_group(key);
    if (name.empty()) continue;  // it has a remark of its own
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
      if (names.size() > kMostListed) break;
    }
  }
  const auto strength = infotext.field("Denoising strength");
  if (strength && says_something(*strength) && !has_second_pass && !was_made_from_image(infotext)) {
    names.push_back("Denoising strength");
  }
  return names;
}

std::vector<std::string> list_stated_embeddings(const Infotext& infotext) {
  std::vector<std::string> names;
  // "Ada: 0123, Ben: 4567", and before that "Ada [0123], Ben [4567]"
  for (const auto& [key, mark] : {std::pair{"TI hashes", ": "}, {"Used embeddings", " ["}}) {
    for (const std::string& one : split_list(infotext.field(key).value_or(""), ',')) {
      const std::string name = trim(one.substr(0, one.rfind(mark)));
      if (name.empty() || names.size() == kMostListed) continue;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::optional<BatchPlace> read_batch_place(const Infotext& infotext) {
  const auto read_number = [&infotext](std::string_view key) {
    int number = -1;
    if (const auto text = infotext.field(key)) {
      std::from_chars(text->data(), text->data() + text->size(), number);
    }
    return number;
  };
  constexpr int kLargest = 64;
  const BatchPlace place{read_number("Batch size"), read_number("Batch pos")};
  const bool is_place = place.size > 1 && place.size <= kLargest && place.position >= 0 &&
                        place.position < place.size;
  return is_place ? std::optional(place) : std::nullopt;
}

}  // namespace sdx
