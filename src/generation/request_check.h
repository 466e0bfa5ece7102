#pragma once

#include "sdx/embedding/embedding_sizes.h"
#include "sdx/generation/settings.h"
#include "sdx/model/bundle.h"
#include "sdx/prompt/prompt_cache.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// Whether a model can make what is asked for.
/// @throws UsageError for sizes, steps, layers and names that it has not; DataError for embeddings
///         of another model.
void check_request(const ImageRequest& request, const BundleInfo& info,
                   const NoiseSchedule& schedule, const Tokenizer& tokenizer,
                   const EmbeddingSizes& embeddings, PromptCache& prompts);

}  // namespace sdx
