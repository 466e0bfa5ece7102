#include "generation/origin_comfy.h"

#include <vector>

#include "sdx/util/text.h"

namespace sdx::origin {

// ---------------------------------------------------------------------------------------- ComfyUI

bool is_comfy(const Texts& texts) {
  const std::string_view prompt = find_text(texts, "prompt");
  const std::string_view parameters = parameters_in(texts);
  return (is_json(prompt) && (holds(prompt, "\"class_type\"") || holds(prompt, "\"inputs\""))) ||
         is_json(find_text(texts, "workflow")) ||
         (is_json(parameters) && holds(parameters, "class_type"));
}

namespace {

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

}  // namespace

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

}  // namespace sdx::origin
