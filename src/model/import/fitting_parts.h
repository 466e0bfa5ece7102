#pragma once

#include "model/import/checkpoint.h"

namespace sdx {

/// Refuses parts of which one does not take what another gives, and UNets that read more than
/// latents, or than latents, a mask and the latents of a masked picture.
/// @throws DataError naming the file, the config's key, expected and found
void require_fitting_parts(const ModelCheckpoint& checkpoint);

}  // namespace sdx
