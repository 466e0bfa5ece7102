#pragma once

#include "sdx/cli/command_line.h"
#include "sdx/generation/image_options.h"

namespace sdx {

/// Has the preset that is given for a command's images come before --config and what is typed, and
/// behind what is added to before_values() earlier.
/// @param options of image_settings() in `line`; outlives it
void add_sampling_preset(CommandLine& line, ImageOptions& options);

}  // namespace sdx
