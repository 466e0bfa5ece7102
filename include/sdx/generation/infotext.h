#pragma once

#include <string>

#include "sdx/generation/generator.h"

namespace sdx {

/// What is written into a picture under "parameters", in AUTOMATIC1111's form: prompt, negative
/// prompt, and a line of settings that is enough to make the picture again.
std::string infotext(const ImageRequest& request, const GenerationOptions& options,
                     const Bundle& bundle, const std::string& version);

}  // namespace sdx
