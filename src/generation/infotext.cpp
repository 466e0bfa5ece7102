#include "sdx/generation/infotext.h"

#include <sstream>

#include "sdx/util/json.h"

namespace sdx {

namespace {

/// Quoted as JSON where the value would end the field too early.
std::string field_value(const std::string& value) {
  const bool needs_quotes = value.find_first_of(",:\n\"") != std::string::npos;
  return needs_quotes ? Json(value).dump() : value;
}

}  // namespace

std::string infotext(const ImageRequest& request, const GenerationOptions& options,
                     const Bundle& bundle, const std::string& version) {
  const BundleInfo& info = bundle.info();
  const int width_px = options.width_px > 0 ? options.width_px : info.native_size_px;
  const int height_px = options.height_px > 0 ? options.height_px : info.native_size_px;
  std::ostringstream text;
  text << request.prompt << '\n';
  if (!request.negative_prompt.empty()) {
    text << "Negative prompt: " << request.negative_prompt << '\n';
  }
  text << "Steps: " << options.steps << ", Sampler: " << display_name(options.sampler)
       << ", CFG scale: " << options.guidance_scale << ", Seed: " << request.seed
       << ", Size: " << width_px << 'x' << height_px << ", Model hash: " << bundle.short_hash()
       << ", Model: " << field_value(info.name)
       << ", RNG: Philox, Version: " << field_value(version);
  return text.str();
}

}  // namespace sdx
