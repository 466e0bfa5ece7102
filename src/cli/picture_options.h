#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sdx/cli/options.h"
#include "sdx/generation/infotext_format.h"
#include "sdx/generation/settings.h"

namespace sdx {

/// What a person says about a picture: on the command line, in a line of a prompts file, as a value
/// of a grid's axis, or by another picture's metadata.
struct PictureOptions {
  std::string prompt;
  std::string negative;
  std::vector<std::string> styles;
  std::optional<std::uint64_t> seed;     ///< nothing: by chance
  std::optional<double> guidance_scale;  ///< nothing: what the model advises
  std::uint64_t variation_seed = 0;
  double variation_strength = 0;
  std::string start_image;
  std::string mask;
  PictureSettings settings;
};

/// The options of a picture, but for its prompt.
void add_picture_options(OptionTable& table, PictureOptions& options);

/// Applies arguments such as {"--steps", "30"} to `options`. `--prompt`, and the names that
/// AUTOMATIC1111's prompt files have (`--cfg_scale`, `--negative_prompt`, `--sampler_name`,
/// `--scheduler`, `--width`, `--height`), are understood as well.
/// @param where what messages begin with: "prompts.txt:12".
/// @throws UsageError.
void apply_arguments(std::vector<std::string> arguments, const std::string& where,
                     PictureOptions& options);

/// The arguments that make a picture of this text again; settings that mean nothing here are left
/// out.
std::vector<std::string> arguments_of(const Infotext& infotext);

/// The request for a picture.
/// @param guidance_scale where none was said.
ImageRequest request_of(const PictureOptions& options, double guidance_scale);

}  // namespace sdx
