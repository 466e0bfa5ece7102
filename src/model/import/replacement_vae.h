#pragma once

#include <filesystem>

#include "model/import/checkpoint.h"
#include "sdx/model/import/import.h"

namespace sdx {

/// Puts another autoencoder in the place of the checkpoint's, with its own scale where a config
/// says one.
/// @param source a file with the tensors of an autoencoder, alone or in a whole checkpoint, in the
///               original layout or diffusers'; or a folder in diffusers' layout, of the
///               autoencoder or of a whole model
/// @throws DataError if the file holds none, or one of another anatomy; MissingInputError.
void replace_vae(const std::filesystem::path& source, const ImportOptions& options,
                 ModelCheckpoint& checkpoint);

}  // namespace sdx
