#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sdx/generation/lora_table.h"
#include "sdx/generation/sampling_presets.h"
#include "sdx/generation/settings.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// The options of an image, as a person gives them. They come from the command line, a line of a
/// prompts file, a value of a grid's axis, or another image's text. Options that are left open are
/// decided when a request is made of them.
struct ImageOptions {
  std::string prompt;
  std::string negative;
  std::vector<std::string> styles;       ///< names of styles, applied in this order
  std::optional<std::uint64_t> seed;     ///< nothing: by chance
  std::optional<double> guidance_scale;  ///< this and the next, nothing: what the model advises
  std::optional<SamplerKind> sampler;    ///< in place of the one in `settings`
  std::uint64_t variation_seed = 0;
  double variation_strength = 0;   ///< 0 … 1
  std::string start_image;         ///< file to begin with; empty: noise
  std::vector<std::string> loras;  ///< "FILE:0.8", see resolve_loras(); behind those of the prompt
  std::string mask;                ///< file, white where the start image is made anew; empty: none
  /// Only its name. Who reads options applies it before them, see apply_sampling_preset().
  SamplingPreset preset = SamplingPreset::kNone;
  ImageSettings settings;
};

/// The table of all settings of an image. Its rows stand in the order in which an image's text
/// names them.
const SettingsTable<ImageOptions>& image_settings();

/// The field of an image's text that names the upscaler, as in AUTOMATIC1111's.
inline constexpr const char* kUpscalerField = "Postprocess upscaler";

/// The field of an image's text that names what found the faces, see RefinedFaces.
inline constexpr const char* kFaceDetectorField = "Face detector";

/// The request for an image. Reads start image, mask and LoRAs.
/// @param advice for what was not said
/// @param loras what the prompt may name; null: LoRAs stay unresolved
/// @throws UsageError for a mask without a start image, for `lora` without a table, for a
///         `face-prompt` without `refine-faces`; as decode_image, naming setting and file; as
///         resolve_loras().
ImageRequest make_request(const ImageOptions& options, const SamplingAdvice& advice,
                          LoraTable* loras = nullptr);

/// The options that give this request again, but for start image and mask, which have no files, and
/// for LoRAs, which its prompt names.
ImageOptions to_options(const ImageRequest& request);

}  // namespace sdx
