#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sdx/generation/sampling_presets.h"
#include "sdx/generation/settings.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// The options of an image, as a person gives them. They come from the command line, a line of a
/// prompts file, a value of a grid's axis, or another image's text. What is left open here is
/// decided when a request is made of it.
struct ImageOptions {
  std::string prompt;
  std::string negative;
  std::vector<std::string> styles;       ///< names of styles, applied in this order
  std::optional<std::uint64_t> seed;     ///< nothing: by chance
  std::optional<double> guidance_scale;  ///< nothing: what the model advises
  std::uint64_t variation_seed = 0;
  double variation_strength = 0;  ///< 0 … 1
  std::string start_image;        ///< file to begin with; empty: noise
  std::string mask;               ///< file, white where the start image is made anew; empty: none
  /// Only its name. Who reads options applies it before them, see apply_sampling_preset().
  SamplingPreset preset = SamplingPreset::kNone;
  ImageSettings settings;
};

/// The table of what can be said about an image. Its rows stand in the order in which an image's
/// text names them.
const SettingsTable<ImageOptions>& image_settings();

/// The request for an image. Reads start image and mask.
/// @param guidance_scale where none was said
/// @throws UsageError for a mask without a start image; as decode_image, naming setting and file.
ImageRequest make_request(const ImageOptions& options, double guidance_scale);

/// The options that give this request again, but for start image and mask, which have no files.
ImageOptions to_options(const ImageRequest& request);

}  // namespace sdx
