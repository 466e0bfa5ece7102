#pragma once

#include <string>
#include <vector>

#include "sdx/embedding/embedding_sizes.h"
#include "sdx/generation/settings.h"

namespace sdx {

/// The names of the embeddings that a picture's prompts use, the negative one's too, each once.
std::vector<std::string> words_of(const ImageRequest& request);

/// The first of them that is not in `words`; empty if all are.
std::string missing_word(const ImageRequest& request, const EmbeddingSizes& words);

}  // namespace sdx
