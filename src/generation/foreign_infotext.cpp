#include "sdx/generation/foreign_infotext.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <span>
#include <vector>

#include "sdx/image/metadata.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

using Texts = std::map<std::string, std::string>;
// Sorted by key, so that a stranger's object of a million keys takes no quadratic time.
using Tree = nlohmann::json;

constexpr std::size_t kMaxJsonBytes = std::size_t{16} << 20U;
constexpr int kMaxJsonDepth = 100;
constexpr int kMostLinks = 32;  ///< of a graph that are followed one after the other

// Fields of an infotext that more than one program states.
constexpr const char* kSteps = "Steps";
constexpr const char* kSampler = "Sampler";
constexpr const char* kSchedule = "Schedule type";
constexpr const char* kGuidance = "CFG scale";
constexpr const char* kRescale = "CFG Rescale";
constexpr const char* kSeed = "Seed";
constexpr const char* kSize = "Size";
constexpr const char* kClipSkip = "Clip skip";
constexpr const char* kStrength = "Denoising strength";
constexpr const char* kStartImage = "Init image";
constexpr const char* kLora = "LoRA";
constexpr const char* kControlNet = "ControlNet";
constexpr const char* kRefiner = "Refiner";

/// Thrown where a program's way is known and this text of it cannot be read.
struct Unreadable {
  std::string reason;
};

std::string_view find_text(const Texts& texts, const std::string& key) {
  const auto found = texts.find(key);
  return found == texts.end() ? std::string_view() : std::string_view(found->second);
}

std::string_view parameters_in(const Texts& texts) { return find_text(texts, kParametersKeyword); }

bool holds(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

/// Whether a text is meant as JSON, damaged or not. A prompt may begin with "{a|b}" and
/// "[{a|b}:c:4]".
bool is_json(std::string_view text) {
  constexpr const char* kBlanks = " \t\r\n";
  std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return false;
  if (text[begin] == '[') {
    begin = text.find_first_not_of(kBlanks, begin + 1);
    if (begin == text.npos || text[begin] != '{') return false;
  }
  if (text[begin] != '{') return false;
  const std::size_t next = text.find_first_not_of(kBlanks, begin + 1);
  return next == text.npos || text[next] == '"' || text[next] == '}';
}

// ------------------------------------------------------------------------------------------- JSON

/// JSON as Python writes it, with null for the NaN and Infinity that JSON does not have.
std::string with_null_for_nan(std::string_view text) {
  constexpr std::array<std::string_view, 3> kWords = {"NaN", "-Infinity", "Infinity"};
  std::string clean;
  bool is_quoted = false;
  while (!text.empty()) {
    std::size_t taken = 1;
    if (is_quoted && text.front() == '\\') taken = std::min<std::size_t>(2, text.size());
    if (text.front() == '"') is_quoted = !is_quoted;
    const auto word = std::find_if(kWords.begin(), kWords.end(),
                                   [text](std::string_view one) { return text.starts_with(one); });
    if (!is_quoted && word != kWords.end()) {
      taken = word->size();
      clean += "null";
    } else {
      clean += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return clean;
}

Tree parse_object(std::string_view text) {
  if (text.size() > kMaxJsonBytes) throw Unreadable{"its JSON has more than 16 MiB"};
  const auto check_depth = [](int depth, Tree::parse_event_t, Tree&) {
    if (depth > kMaxJsonDepth) throw Unreadable{"its JSON is nested more than 100 levels deep"};
    return true;
  };
  Tree tree = Tree::parse(text, check_depth, /*allow_exceptions=*/false);
  if (tree.is_discarded()) {
    tree = Tree::parse(with_null_for_nan(text), check_depth, /*allow_exceptions=*/false);
  }
  if (!tree.is_object()) throw Unreadable{"its JSON is damaged"};
  return tree;
}

const Tree* find_member(const Tree& object, const std::string& key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_member(const Tree& object, const std::string& key) {
  const Tree* const value = find_member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

/// The prompt that an object states.
void take_prompts(const Tree& object, const std::string& positive, const std::string& negative,
                  ImageOrigin& origin) {
  const Tree* const prompt = find_member(object, positive);
  if (prompt == nullptr || !prompt->is_string()) origin.prompt_fault = "it states no prompt";
  origin.infotext.prompt = text_member(object, positive);
  origin.infotext.negative_prompt = text_member(object, negative);
}

/// A value as a setting's text; nothing for a list or an object.
std::optional<std::string> setting_text(const Tree& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_number_integer()) return value.dump();
  if (value.is_number()) return exact_number(value.get<double>());
  return std::nullopt;
}

/// Whether a value says that something was used: "None", 0, false and an empty list do not.
bool is_used(const Tree& value) {
  if (value.is_structured()) return !value.empty();
  if (value.is_number()) return value.get<double>() != 0;
  const std::string text = lower_case(setting_text(value).value_or(""));
  return text != "" && text != "none" && text != "false" && text != "null" && text != "[]";
}

/// An object's keys in lower case with "_" for blanks: "Guidance Scale" → "guidance_scale".
Tree with_plain_keys(const Tree& object) {
  Tree plain = Tree::object();
  for (const auto& [key, value] : object.items()) {
    plain[replace_all(lower_case(key), " ", "_")] = value;
  }
  return plain;
}

// --------------------------------------------------------------------------------------- settings

/// What a program calls a setting.
struct Naming {
  const char* theirs;
  const char* ours;      ///< a field of an infotext, or what it is that cannot be taken over
  bool is_lack = false;  ///< the latter: it counts whatever its value is, unless it is_used() not
};

void add_field(Infotext& infotext, const std::string& key, const std::string& value) {
  if (!infotext.field(key)) infotext.fields.emplace_back(key, value);
}

void take_settings(const Tree& object, std::span<const Naming> namings, Infotext& infotext) {
  for (const Naming& naming : namings) {
    const Tree* const value = find_member(object, naming.theirs);
    if (value == nullptr) continue;
    if (naming.is_lack) {
      if (is_used(*value)) add_field(infotext, naming.ours, "True");
    } else if (const auto text = setting_text(*value); text && lower_case(*text) != "none") {
      add_field(infotext, naming.ours, *text);
    }
  }
}

void take_size(const Tree& object, Infotext& infotext) {
  const Tree* const width = find_member(object, "width");
  const Tree* const height = find_member(object, "height");
  if (width == nullptr || height == nullptr) return;
  const auto width_text = setting_text(*width);
  const auto height_text = setting_text(*height);
  if (width_text && height_text) add_field(infotext, kSize, *width_text + "x" + *height_text);
}

// ---------------------------------------------------------------------------------------- SwarmUI

constexpr std::string_view kSwarmMark = "\"sui_image_params\"";

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

// ---------------------------------------------------------------------------------------- ComfyUI

bool is_comfy(const Texts& texts) {
  const std::string_view prompt = find_text(texts, "prompt");
  const std::string_view parameters = parameters_in(texts);
  return (is_json(prompt) && (holds(prompt, "\"class_type\"") || holds(prompt, "\"inputs\""))) ||
         is_json(find_text(texts, "workflow")) ||
         (is_json(parameters) && holds(parameters, "class_type"));
}

/// The graph of nodes that ComfyUI computes: {"3": {"class_type": "KSampler", "inputs": {"seed": 7,
/// "positive": ["6", 0], …}}, …}. An input is a value or a link to a node.
class Graph {
 public:
  explicit Graph(const Tree& nodes) : nodes_(nodes) {}

  static std::string type(const Tree& node) { return text_member(node, "class_type"); }

  static const Tree* input(const Tree& node, const std::string& name) {
    const Tree* const inputs = find_member(node, "inputs");
    return inputs == nullptr ? nullptr : find_member(*inputs, name);
  }

  /// The node that an input is linked to; nullptr for a value.
  const Tree* linked(const Tree* link) const {
    if (link == nullptr || !link->is_array() || link->size() != 2) return nullptr;
    const auto id = setting_text(link->front());
    return id ? find_member(nodes_, *id) : nullptr;
  }

  /// An input's value, also where it is that of a node which does nothing but hold one.
  const Tree* value(const Tree& node, const std::string& name) const {
    const Tree* const found = input(node, name);
    if (found == nullptr || !found->is_array()) return found;
    const Tree* const holder = linked(found);
    if (holder == nullptr) return nullptr;
    for (const std::string& key : {name, std::string("value"), std::string("seed"),
                                   std::string("text"), std::string("string")}) {
      const Tree* const held = input(*holder, key);
      if (held != nullptr && !held->is_structured()) return held;
    }
    return nullptr;
  }

  const Tree& only_sampler() const {
    std::vector<const Tree*> samplers;
    for (const auto& [id, node] : nodes_.items()) {
      if (type(node) == "KSampler" || type(node) == "KSamplerAdvanced") samplers.push_back(&node);
    }
    if (samplers.size() == 1) return *samplers.front();
    throw Unreadable{"its graph has " +
                     (samplers.empty() ? std::string("no node \"KSampler\"")
                                       : std::to_string(samplers.size()) + " KSamplers") +
                     ", and graphs with one are read"};
  }

 private:
  const Tree& nodes_;
};

/// Follows the link to a text. Sets `fault` where it does not end at a CLIPTextEncode's text.
std::string read_comfy_text(const Graph& graph, const Tree& sampler, const std::string& role,
                            ImageOrigin& origin, std::string& fault) {
  const Tree* node = graph.linked(Graph::input(sampler, role));
  if (node == nullptr) {
    if (Graph::input(sampler, role) != nullptr) fault = "its \"" + role + "\" leads nowhere";
    return {};
  }
  for (int i = 0; i < kMostLinks && node != nullptr; ++i) {
    const std::string type = Graph::type(*node);
    if (type == "CLIPTextEncode") {
      const Tree* encoder = graph.linked(Graph::input(*node, "clip"));
      for (int j = 0; j < kMostLinks && encoder != nullptr; ++j) {
        const Tree* const layer = Graph::input(*encoder, "stop_at_clip_layer");
        if (layer != nullptr && layer->is_number_integer() && *layer < -1) {
          add_field(origin.infotext, kClipSkip, std::to_string(-layer->get<std::int64_t>()));
        }
        encoder = graph.linked(Graph::input(*encoder, "clip"));
      }
      const Tree* const text = graph.value(*node, "text");
      if (text != nullptr && text->is_string()) return text->get<std::string>();
      fault = "the text of its CLIPTextEncode comes from another node";
      return {};
    }
    if (!type.starts_with("ControlNetApply")) {
      fault = "its " + role + " prompt comes from a node " + in_quotes(type);
      return {};
    }
    add_field(origin.infotext, kControlNet, "True");
    const Tree* const passed = Graph::input(*node, role);
    node = graph.linked(passed != nullptr ? passed : Graph::input(*node, "conditioning"));
  }
  fault = "its links lead in a circle or nowhere";
  return {};
}

/// What the model goes through before it is used.
void read_comfy_model(const Graph& graph, const Tree& sampler, Infotext& infotext) {
  const Tree* node = graph.linked(Graph::input(sampler, "model"));
  for (int i = 0; i < kMostLinks && node != nullptr; ++i) {
    const std::string type = Graph::type(*node);
    const Tree* const multiplier = Graph::input(*node, "multiplier");
    if (type == "RescaleCFG" && multiplier != nullptr && multiplier->is_number()) {
      add_field(infotext, kRescale, *setting_text(*multiplier));
    } else if (holds(type, "Lora")) {
      add_field(infotext, kLora, "True");
    } else if (Graph::input(*node, "model") != nullptr) {
      add_field(infotext, type, "True");
    }
    node = graph.linked(Graph::input(*node, "model"));
  }
}

void read_comfy_latents(const Graph& graph, const Tree& sampler, Infotext& infotext) {
  const Tree* const latents = graph.linked(Graph::input(sampler, "latent_image"));
  if (latents == nullptr) return;
  const std::string type = Graph::type(*latents);
  const Tree* const width = graph.value(*latents, "width");
  const Tree* const height = graph.value(*latents, "height");
  if (type.starts_with("Empty") && width != nullptr && height != nullptr) {
    take_size({{"width", *width}, {"height", *height}}, infotext);
  } else if (type.starts_with("Empty")) {
    add_field(infotext, "size from another node", "True");
  } else {
    add_field(infotext, kStartImage, "True");
  }
}

void read_comfy(const Texts& texts, ImageOrigin& origin) {
  static constexpr Naming kNamings[] = {
      {"seed", kSeed},    {"noise_seed", kSeed},      {"steps", kSteps},
      {"cfg", kGuidance}, {"sampler_name", kSampler}, {"scheduler", kSchedule}};
  const bool is_apart = is_json(find_text(texts, "prompt"));
  if (!is_apart && !is_json(parameters_in(texts))) {
    throw Unreadable{"it holds a workflow without the values that were used"};
  }
  const Tree whole = parse_object(is_apart ? find_text(texts, "prompt") : parameters_in(texts));
  const Tree* const inner = is_apart ? nullptr : find_member(whole, "prompt");
  const Graph graph(inner != nullptr ? *inner : whole);
  const Tree& sampler = graph.only_sampler();
  Tree values = Tree::object();
  for (const Naming& naming : kNamings) {
    const Tree* const value = graph.value(sampler, naming.theirs);
    if (value != nullptr) {
      values[naming.theirs] = *value;
    } else if (Graph::input(sampler, naming.theirs) != nullptr) {
      add_field(origin.infotext, std::string(naming.ours) + " from another node", "True");
    }
  }
  take_settings(values, kNamings, origin.infotext);
  const Tree* const first = Graph::input(sampler, "start_at_step");
  const Tree* const last = Graph::input(sampler, "end_at_step");
  const Tree* const steps = find_member(values, "steps");
  if ((first != nullptr && first->is_number() && *first > 0) ||
      (last != nullptr && steps != nullptr && last->is_number() && steps->is_number() &&
       *last < *steps)) {
    throw Unreadable{"its KSampler takes a part of the steps"};
  }
  read_comfy_model(graph, sampler, origin.infotext);
  read_comfy_latents(graph, sampler, origin.infotext);
  const Tree* const strength = Graph::input(sampler, "denoise");
  if (strength != nullptr && strength->is_number() && *strength < 1) {
    // Of empty latents it is no strength, but a smaller part of the noise.
    const bool has_start = origin.infotext.field(kStartImage).has_value();
    add_field(origin.infotext, has_start ? kStrength : "denoise", *setting_text(*strength));
  }
  origin.infotext.prompt = read_comfy_text(graph, sampler, "positive", origin, origin.prompt_fault);
  std::string fault;
  origin.infotext.negative_prompt = read_comfy_text(graph, sampler, "negative", origin, fault);
  if (!fault.empty()) add_field(origin.infotext, "negative prompt", "True");
  if (origin.prompt_fault.empty()) origin.prompt_fault = fault;
}

// ---------------------------------------------------------------------------------- AUTOMATIC1111

struct Size {
  int width_px;
  int height_px;
};

std::optional<Size> read_size(const std::optional<std::string>& text) {
  Size size{};
  char rest = 0;
  if (!text) return std::nullopt;
  const int read = std::sscanf(text->c_str(), "%6dx%6d%c", &size.width_px, &size.height_px, &rest);
  if (read != 2 || size.width_px < 0 || size.height_px < 0) return std::nullopt;
  return size;
}

/// How much larger `large` is than `small`, if that is so and the same in both directions.
std::optional<double> find_ratio(const Size& large, const Size& small) {
  constexpr double kMost = 8;  // of `hires`
  if (small.width_px < 1 || small.height_px < 1) return std::nullopt;
  const double width = static_cast<double>(large.width_px) / small.width_px;
  const double height = static_cast<double>(large.height_px) / small.height_px;
  const double ratio = std::max(width, height);
  // A side of 0 follows the other one.
  const bool is_one = width == height || large.width_px == 0 || large.height_px == 0;
  if (!is_one || ratio <= 1 || ratio > kMost) return std::nullopt;
  return ratio;
}

/// What the first pass was where AUTOMATIC1111 chose it, until 2023: as many pixels as 512x512, in
/// multiples of 64.
Size chosen_first_pass(const Size& final_size) {
  const double pixels = static_cast<double>(final_size.width_px) * final_size.height_px;
  const double scale = std::sqrt(512.0 * 512.0 / std::max(pixels, 1.0));
  const auto side = [scale](int px) { return static_cast<int>(std::ceil(scale * px / 64)) * 64; };
  return {side(final_size.width_px), side(final_size.height_px)};
}

/// AUTOMATIC1111 has three ways to state a second pass. "Hires resize: 1024x1024" and, older,
/// "First pass size: 512x512" become "Hires upscale: 2" where both sides grow by as much.
void name_second_pass(Infotext& infotext) {
  const auto size = read_size(infotext.field(kSize));
  if (!size || infotext.field("Hires upscale")) return;
  const auto replace = [&](const char* key, double ratio) {
    std::erase_if(infotext.fields, [key](const auto& field) { return field.first == key; });
    infotext.fields.emplace_back("Hires upscale", exact_number(ratio));
  };
  if (const auto resized = read_size(infotext.field("Hires resize"))) {
    if (const auto ratio = find_ratio(*resized, *size)) replace("Hires resize", *ratio);
  } else if (auto first = read_size(infotext.field("First pass size"))) {
    if (first->width_px == 0 || first->height_px == 0) first = chosen_first_pass(*size);
    const auto ratio = find_ratio(*size, *first);
    if (!ratio) return;
    replace("First pass size", *ratio);
    for (auto& [key, value] : infotext.fields) {
      if (key == kSize) {
        value = std::to_string(first->width_px) + "x" + std::to_string(first->height_px);
      }
    }
  }
}

// ------------------------------------------------------------------------------------------ table

/// A program that has a way of its own.
struct Program {
  const char* name;
  bool (*is_writer)(const Texts& texts);
  void (*read)(const Texts& texts, ImageOrigin& origin);
};

/// In the order in which they are tried: what the first ones write holds the marks of the last.
constexpr Program kPrograms[] = {
    {"SwarmUI", is_swarm, read_swarm},      {"Fooocus", is_fooocus, read_fooocus},
    {"NovelAI", is_novel, read_novel},      {"InvokeAI", is_invoke, read_invoke},
    {"Easy Diffusion", is_easy, read_easy}, {"ComfyUI", is_comfy, read_comfy},
};

/// Takes `<lora:name:0.8>` and its like out of a prompt, and says whether there was one.
bool take_networks(std::string& prompt) {
  std::string rest;
  std::string_view text = prompt;
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find('<'), text.size());
    rest += text.substr(0, begin);
    text.remove_prefix(begin);
    const std::size_t end = text.find_first_of("<>\n", 1);
    const bool is_network = end < text.size() && text[end] == '>' &&
                            (text.starts_with("<lora:") || text.starts_with("<lyco:") ||
                             text.starts_with("<hypernet:"));
    if (is_network) {
      text.remove_prefix(end + 1);
    } else {
      rest += text.substr(0, std::min<std::size_t>(1, text.size()));
      text.remove_prefix(std::min<std::size_t>(1, text.size()));
    }
  }
  std::swap(prompt, rest);
  return prompt.size() != rest.size();
}

ImageOrigin with_networks_taken(ImageOrigin origin) {
  const bool positive = take_networks(origin.infotext.prompt);
  const bool negative = take_networks(origin.infotext.negative_prompt);
  if (positive || negative) add_field(origin.infotext, kLora, "True");
  return origin;
}

}  // namespace

std::optional<ImageOrigin> find_image_origin(const Texts& texts) {
  const std::string_view parameters = parameters_in(texts);
  if (!parameters.empty() && !is_json(parameters)) {
    ImageOrigin origin{"", parse_infotext(parameters), ""};
    name_second_pass(origin.infotext);
    return with_networks_taken(std::move(origin));
  }
  for (const Program& program : kPrograms) {
    if (!program.is_writer(texts)) continue;
    ImageOrigin origin{program.name, {}, ""};
    try {
      program.read(texts, origin);
    } catch (const Unreadable& unreadable) {
      throw DataError("it says how it was made in " + std::string(program.name) +
                      "'s way, which cannot be read here: " + unreadable.reason +
                      "; type prompt and settings yourself");
    }
    return with_networks_taken(std::move(origin));
  }
  if (parameters.empty()) return std::nullopt;
  throw DataError(
      "it says how it was made in JSON, in the way of a program that is not known here; type "
      "prompt and settings yourself");
}

}  // namespace sdx
