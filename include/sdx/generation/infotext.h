#pragma once

#include <string>

#include "sdx/generation/generator.h"
#include "sdx/generation/infotext_format.h"

namespace sdx {

/// What is written into a picture: prompt, negative prompt, and settings that are enough to make
/// the picture again, named as AUTOMATIC1111 names them. Numbers have as many digits as it takes to
/// read the same number back.
Infotext infotext(const ImageRequest& request, const GenerationOptions& options,
                  const Bundle& bundle, const std::string& version);

}  // namespace sdx
