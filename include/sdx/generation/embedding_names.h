#pragma once

#include <string>
#include <vector>

#include "sdx/embedding/embedding_sizes.h"
#include "sdx/generation/settings.h"

namespace sdx {

/// The names of the embeddings that a picture's prompts use, the negative one's and that of its
/// faces too, each once.
/// @param known as in placeholder_names()
std::vector<std::string> list_embedding_names(const ImageRequest& request,
                                              const EmbeddingSizes& known = {});

/// The first of these names that is not in `words`; empty if all are.
std::string find_missing_embedding(const ImageRequest& request, const EmbeddingSizes& embeddings);

}  // namespace sdx
