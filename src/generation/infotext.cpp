#include "sdx/generation/infotext.h"

#include <array>
#include <charconv>

namespace sdx {

namespace {

/// The shortest text that reads back as the same number: "7", "7.5".
std::string number_text(double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

}  // namespace

Infotext infotext(const ImageRequest& request, const GenerationOptions& options,
                  const Bundle& bundle, const std::string& version) {
  const BundleInfo& info = bundle.info();
  const int width_px = options.width_px > 0 ? options.width_px : info.native_size_px;
  const int height_px = options.height_px > 0 ? options.height_px : info.native_size_px;
  Infotext infotext{request.prompt, request.negative_prompt, {}};
  const auto add = [&infotext](const char* key, std::string value) {
    infotext.fields.emplace_back(key, std::move(value));
  };
  add("Steps", std::to_string(options.steps));
  add("Sampler", std::string(display_name(options.sampler)));
  add("CFG scale", number_text(options.guidance_scale));
  add("Seed", std::to_string(request.seed));
  add("Size", std::to_string(width_px) + "x" + std::to_string(height_px));
  add("Model hash", bundle.short_hash());
  add("Model", info.name);
  add("RNG", "Philox");
  add("Version", version);
  return infotext;
}

}  // namespace sdx
