#include "sdx/generation/foreign_infotext.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <string_view>

#include "generation/origin_comfy.h"
#include "generation/origin_programs.h"
#include "sdx/util/error.h"
#include "sdx/util/units.h"

namespace sdx {

using namespace origin;

namespace {

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

/// Takes `<hypernet:name:0.8>` and its like out of a prompt, and says whether there was one.
bool take_networks(std::string& prompt, std::span<const std::string_view> beginnings) {
  std::string rest;
  std::string_view text = prompt;
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find('<'), text.size());
    rest += text.substr(0, begin);
    text.remove_prefix(begin);
    const std::size_t end = text.find_first_of("<>\n", 1);
    const bool is_network = end < text.size() && text[end] == '>' &&
                            std::ranges::any_of(beginnings, [text](std::string_view one) {
                              return text.starts_with(one);
                            });
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

constexpr std::string_view kHypernetwork[] = {"<hypernet:"};
/// Programs that share AUTOMATIC1111's way read these as it does. Others give the strengths another
/// order, or another meaning to the name.
constexpr std::string_view kLoras[] = {"<lora:", "<lyco:"};

void take_from_prompts(Infotext& infotext, std::span<const std::string_view> beginnings,
                       const char* field) {
  const bool positive = take_networks(infotext.prompt, beginnings);
  const bool negative = take_networks(infotext.negative_prompt, beginnings);
  if (positive || negative) add_field(infotext, field, "True");
}

}  // namespace

std::optional<ImageOrigin> find_image_origin(const Texts& texts) {
  const std::string_view parameters = parameters_in(texts);
  if (!parameters.empty() && !is_json(parameters)) {
    ImageOrigin origin{"", parse_infotext(parameters), ""};
    name_second_pass(origin.infotext);
    take_from_prompts(origin.infotext, kHypernetwork, "Hypernet");
    return origin;
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
    take_from_prompts(origin.infotext, kHypernetwork, "Hypernet");
    take_from_prompts(origin.infotext, kLoras, kLora);
    return origin;
  }
  if (parameters.empty()) return std::nullopt;
  throw DataError(
      "it says how it was made in JSON, in the way of a program that is not known here; type "
      "prompt and settings yourself");
}

}  // namespace sdx
