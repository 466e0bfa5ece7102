#pragma once

#include <optional>
#include <string>

#include "cli/generate/source_image.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// What `vae` says where nothing is typed: the autoencoder of the picture that is made again, else
/// the model's own. And what a person types for the model's own.
inline constexpr const char* kAutoVae = "auto";
inline constexpr const char* kOwnVae = "own";

/// Where the autoencoder is that the picture was made with: an installed model or, in the working
/// folder or the picture's, a file or folder of its name. A name with a path in it is not followed.
/// Says so if there is none.
/// @return what `vae` takes; kOwnVae if the picture names none, or one that is not here
std::string find_vae(const SourceImage& source);

/// The model with the autoencoder that `vae` names, or as it is for kAutoVae and kOwnVae. Says so
/// if it is not the very one of the picture.
/// @throws as borrow_vae.
Bundle with_vae(const Bundle& model, const std::string& vae,
                const std::optional<SourceImage>& source);

}  // namespace sdx
