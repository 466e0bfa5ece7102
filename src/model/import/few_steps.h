#pragma once

#include <map>
#include <string>

#include "model/import/checkpoint.h"

namespace sdx {

/// Models that were distilled to few steps look like their base model, and need trailing timesteps
/// and no guidance. Some files say so in their metadata: a title or description with the word Turbo
/// or Lightning. Nothing is concluded from a file's name.
void recognise_few_steps(const std::map<std::string, std::string>& metadata,
                         ModelCheckpoint& checkpoint);

}  // namespace sdx
