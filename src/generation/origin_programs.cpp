#include "generation/origin_programs.h"

#include <vector>

#include "sdx/util/text.h"

namespace sdx::origin {

namespace {

// ---------------------------------------------------------------------------------------- SwarmUI

constexpr std::string_view kSwarmMark = "\"sui_image_params\"";

}  // namespace

bool is_swarm(const Texts& texts) {
  return is_json(parameters_in(texts)) && holds(parameters_in(texts), kSwarmMark);
}

void read_swarm(const Texts& texts, ImageOrigin& origin) {
  static constexpr Naming kNamings[] = {{"steps", kSteps},
                                        {"sampler", kSampler},
                                        {"scheduler", kSchedule},
                                        {"cfgscale", kGuidance},
                                        {"seed", kSeed},
                                        {"variationseed", "Variation seed"},
                                        {"variationseedstrength", "Variation seed strength"},
                                        {"loras", kLora, true},
                                        {"controlnetmodel", kControlNet, true},
                                        {"refinermodel", kRefiner, true},
                                        {"refinerupscale", kRefiner, true},
                                        {"refinercontrolpercentage", kRefiner, true},
                                        {"seamlesstileable", "Seamless tiling", true},
                                        {"freeu", "FreeU", true},
                                        {"maskimage", "Mask", true},
                                        {"initimage", kStartImage, true},
                                        {"initimagecreativity", kStartImage, true}};
  const Tree whole = parse_object(parameters_in(texts));
  const Tree* const params = find_member(whole, "sui_image_params");
  if (params == nullptr || !params->is_object()) throw Unreadable{"its JSON is damaged"};
  take_prompts(*params, "prompt", "negativeprompt", origin);
  for (std::string* text : {&origin.infotext.prompt, &origin.infotext.negative_prompt}) {
    *text = replace_all(*text, "<embed:", "<");
  }
  take_settings(*params, kNamings, origin.infotext);
  take_size(*params, origin.infotext);
  // The layer is counted from the end, downwards.
  if (const Tree* const layer = find_member(*params, "clipstopatlayer")) {
    const std::string text = setting_text(*layer).value_or("");
    if (text.starts_with('-')) add_field(origin.infotext, kClipSkip, text.substr(1));
  }
}

// ---------------------------------------------------------------------------------------- Fooocus

bool is_fooocus(const Texts& texts) {
  const std::string_view parameters = parameters_in(texts);
  return is_json(parameters) &&
         (texts.contains("fooocus_scheme") || holds(parameters, "Fooocus") ||
          (holds(parameters, "\"base_model\"") && holds(parameters, "\"sharpness\"")));
}

void read_fooocus(const Texts& texts, ImageOrigin& origin) {
  static constexpr Naming kNamings[] = {{"steps", kSteps},
                                        {"sampler", kSampler},
                                        {"sampler_name", kSampler},
                                        {"scheduler", kSchedule},
                                        {"guidance_scale", kGuidance},
                                        {"cfg", kGuidance},
                                        {"seed", kSeed},
                                        {"clip_skip", kClipSkip},
                                        {"styles", "styles of Fooocus", true},
                                        {"prompt_expansion", "prompt expansion", true},
                                        {"sharpness", "Sharpness", true},
                                        {"adm_guidance", "ADM guidance", true},
                                        {"loras", kLora, true},
                                        {"refiner_model", kRefiner, true},
                                        {"freeu", "FreeU", true},
                                        {"inpaint_method", kStartImage, true}};
  const Tree object = with_plain_keys(parse_object(parameters_in(texts)));
  take_prompts(object, "prompt", object.contains("negative") ? "negative" : "negative_prompt",
               origin);
  take_settings(object, kNamings, origin.infotext);
  for (const auto& [key, value] : object.items()) {
    if (key.starts_with("lora_") && is_used(value)) add_field(origin.infotext, kLora, "True");
  }
  take_size(object, origin.infotext);
  // "(896, 1152)"
  std::vector<std::string> sides = split_list(text_member(object, "resolution"), ',');
  if (sides.size() == 2 && sides[0].starts_with('(') && sides[1].ends_with(')')) {
    sides[1].pop_back();
    add_field(origin.infotext, kSize, trim(sides[0].substr(1)) + "x" + trim(sides[1]));
  }
}

// --------------------------------------------------------------------------------------- InvokeAI

bool is_invoke(const Texts& texts) {
  for (const char* keyword :
       {"invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata", "Dream"}) {
    if (texts.contains(keyword)) return true;
  }
  return false;
}

namespace {

/// Versions before 3 have the negative prompt in the prompt, in square brackets.
void split_bracketed(std::string_view text, Infotext& infotext) {
  std::vector<std::string> negative;
  while (!text.empty()) {
    const std::size_t begin = text.find('[');
    const std::size_t end = begin == text.npos ? text.npos : text.find(']', begin);
    if (end == text.npos) break;
    infotext.prompt += text.substr(0, begin);
    negative.push_back(trim(text.substr(begin + 1, end - begin - 1)));
    text.remove_prefix(end + 1);
  }
  infotext.prompt = trim(infotext.prompt + std::string(text));
  infotext.negative_prompt = join(negative, ", ");
}

constexpr Naming kInvokeNamings[] = {{"steps", kSteps},
                                     {"scheduler", kSampler},
                                     {"sampler", kSampler},
                                     {"cfg_scale", kGuidance},
                                     {"cfg_rescale_multiplier", kRescale},
                                     {"seed", kSeed},
                                     {"strength", kStrength},
                                     {"init_image", kStartImage, true},
                                     {"loras", kLora, true},
                                     {"controlnets", kControlNet, true},
                                     {"control_layers", kControlNet, true},
                                     {"ipAdapters", "IP-Adapter", true},
                                     {"t2iAdapters", "T2I-Adapter", true},
                                     {"regions", "regional prompts", true},
                                     {"refiner_model", kRefiner, true},
                                     {"hrf_enabled", "high resolution fix", true},
                                     {"hires_fix", "high resolution fix", true},
                                     {"seamless", "Seamless tiling", true},
                                     {"seamless_x", "Seamless tiling", true},
                                     {"seamless_y", "Seamless tiling", true},
                                     {"variations", "variations", true},
                                     {"threshold", "threshold", true},
                                     {"perlin", "Perlin noise", true},
                                     {"postprocessing", "postprocessing", true},
                                     {"facetool", "face restoration", true},
                                     {"upscale", "upscaling", true}};

/// The image's type where no file of its beginning is named.
void take_invoke_type(const Tree& object, const char* key, ImageOrigin& origin) {
  const std::string type = text_member(object, key);
  if (holds(type, "img2img") || holds(type, "inpaint") || holds(type, "outpaint")) {
    add_field(origin.infotext, kStartImage, "True");
  }
}

void read_invoke_metadata(std::string_view text, ImageOrigin& origin) {
  const Tree object = parse_object(text);
  take_prompts(object, "positive_prompt", "negative_prompt", origin);
  take_settings(object, kInvokeNamings, origin.infotext);
  take_size(object, origin.infotext);
  take_invoke_type(object, "generation_mode", origin);
  // It counts the layers that are left out.
  const Tree* const skipped = find_member(object, "clip_skip");
  if (skipped != nullptr && skipped->is_number_integer() && *skipped > 0) {
    add_field(origin.infotext, kClipSkip, std::to_string(skipped->get<std::int64_t>() + 1));
  }
}

void read_invoke_2(std::string_view text, ImageOrigin& origin) {
  const Tree object = parse_object(text);
  const Tree* const image = find_member(object, "image");
  if (image == nullptr || !image->is_object()) throw Unreadable{"it states no image"};
  const Tree* const prompt = find_member(*image, "prompt");
  if (prompt != nullptr && prompt->is_string()) {
    split_bracketed(prompt->get<std::string>(), origin.infotext);
  } else if (prompt != nullptr && prompt->is_array() && prompt->size() == 1) {
    split_bracketed(text_member(prompt->front(), "prompt"), origin.infotext);
  } else {
    origin.prompt_fault = "it blends several prompts, or states none";
  }
  take_settings(*image, kInvokeNamings, origin.infotext);
  take_size(*image, origin.infotext);
  take_invoke_type(*image, "type", origin);
}

/// A line as it was typed: "a robot [blurry]" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms
void read_dream(std::string_view text, ImageOrigin& origin) {
  static constexpr Naming kLetters[] = {{"s", kSteps},
                                        {"S", kSeed},
                                        {"C", kGuidance},
                                        {"A", kSampler},
                                        {"f", kStrength},
                                        {"W", "width"},
                                        {"H", "height"},
                                        {"I", kStartImage, true},
                                        {"G", "face restoration", true},
                                        {"U", "upscaling", true},
                                        {"V", "variations", true},
                                        {"v", "variations", true}};
  const std::string line = trim(text);
  const std::size_t end = line.rfind('"');
  if (!line.starts_with('"') || end == 0) throw Unreadable{"its line has no prompt in quotes"};
  split_bracketed(std::string_view(line).substr(1, end - 1), origin.infotext);
  Infotext read;
  const std::vector<std::string> words = split_list(line.substr(end + 1), ' ');
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].size() < 2 || words[i][0] != '-') continue;
    for (const Naming& naming : kLetters) {
      if (words[i][1] != naming.theirs[0]) continue;
      const bool is_apart = words[i].size() == 2 && i + 1 < words.size();
      const std::string value = is_apart ? words[i + 1] : words[i].substr(2);
      add_field(read, naming.ours, naming.is_lack ? "True" : value);
    }
  }
  const auto width = read.field("width");
  const auto height = read.field("height");
  std::erase_if(read.fields, [](const auto& field) {
    return field.first == "width" || field.first == "height";
  });
  if (width && height) add_field(read, kSize, *width + "x" + *height);
  origin.infotext.fields = std::move(read.fields);
}

}  // namespace

void read_invoke(const Texts& texts, ImageOrigin& origin) {
  if (texts.contains("invokeai_metadata")) {
    read_invoke_metadata(find_text(texts, "invokeai_metadata"), origin);
  } else if (texts.contains("sd-metadata")) {
    read_invoke_2(find_text(texts, "sd-metadata"), origin);
  } else if (texts.contains("Dream")) {
    read_dream(find_text(texts, "Dream"), origin);
  } else {
    throw Unreadable{"it holds a workflow without the settings"};
  }
}

// ---------------------------------------------------------------------------------------- NovelAI

bool is_novel(const Texts& texts) {
  const std::string_view comment = find_text(texts, "Comment");
  const std::string_view parameters = parameters_in(texts);
  return holds(find_text(texts, "Software"), "NovelAI") ||
         (is_json(comment) && holds(comment, "\"uc\"")) ||
         (is_json(parameters) && holds(parameters, "NovelAI") && holds(parameters, "Comment"));
}

void read_novel(const Texts& texts, ImageOrigin& origin) {
  static constexpr Naming kNamings[] = {{"steps", kSteps},
                                        {"sampler", kSampler},
                                        {"noise_schedule", kSchedule},
                                        {"scale", kGuidance},
                                        {"cfg_rescale", kRescale},
                                        {"seed", kSeed},
                                        {"strength", kStrength},
                                        {"image", kStartImage, true},
                                        {"sm", "SMEA", true},
                                        {"sm_dyn", "SMEA", true},
                                        {"dynamic_thresholding", "Dynamic thresholding", true},
                                        {"controlnet_model", kControlNet, true},
                                        {"reference_image_multiple", "vibe transfer", true}};
  Texts own = texts;
  if (is_json(parameters_in(texts))) {  // EXIF has one text, which holds the others
    const Tree others = parse_object(parameters_in(texts));
    for (const auto& [key, value] : others.items()) {
      if (value.is_string()) own[key] = value.get<std::string>();
    }
  }
  const Tree object = parse_object(find_text(own, "Comment"));
  take_prompts(object, "prompt", "uc", origin);
  if (!origin.prompt_fault.empty() && own.contains("Description")) {
    origin.infotext.prompt = own["Description"];
    origin.prompt_fault.clear();
  }
  take_settings(object, kNamings, origin.infotext);
  take_size(object, origin.infotext);
  if (holds(origin.infotext.prompt, "{")) {
    add_field(origin.infotext, "weights in { }", "True");
  }
}

// --------------------------------------------------------------------------------- Easy Diffusion

bool is_easy(const Texts& texts) {
  return texts.contains("num_inference_steps") || texts.contains("use_stable_diffusion_model") ||
         texts.contains("Stable Diffusion model") ||
         (is_json(parameters_in(texts)) && holds(parameters_in(texts), "\"num_inference_steps\""));
}

void read_easy(const Texts& texts, ImageOrigin& origin) {
  static constexpr Naming kNamings[] = {{"num_inference_steps", kSteps},
                                        {"steps", kSteps},
                                        {"sampler_name", kSampler},
                                        {"sampler", kSampler},
                                        {"scheduler_name", kSchedule},
                                        {"guidance_scale", kGuidance},
                                        {"seed", kSeed},
                                        {"use_lora_model", kLora, true},
                                        {"lora_model", kLora, true},
                                        {"use_hypernetwork_model", "Hypernetwork", true},
                                        {"hypernetwork_model", "Hypernetwork", true},
                                        {"use_controlnet_model", kControlNet, true},
                                        {"use_face_correction", "face restoration", true},
                                        {"use_upscale", "upscaling", true},
                                        {"use_upscaling", "upscaling", true},
                                        {"tiling", "Seamless tiling", true},
                                        {"init_image", kStartImage, true},
                                        {"prompt_strength", kStrength}};
  Tree stated = Tree::object();
  if (is_json(parameters_in(texts))) {
    stated = parse_object(parameters_in(texts));
  } else {
    for (const auto& [key, value] : texts) stated[key] = value;
  }
  const Tree object = with_plain_keys(stated);
  take_prompts(object, "prompt", "negative_prompt", origin);
  take_settings(object, kNamings, origin.infotext);
  take_size(object, origin.infotext);
  const Tree* const skip = find_member(object, "clip_skip");
  if (skip != nullptr && is_used(*skip)) add_field(origin.infotext, kClipSkip, "2");
}

}  // namespace sdx::origin
