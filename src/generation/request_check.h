#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

#include "sdx/embedding/embedding_sizes.h"
#include "sdx/generation/image_size.h"
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

/// Whether latents are those that pictures begin with.
/// @param size of the first picture
/// @throws DataError for another shape than [images,C,h,w], and for values that are not finite.
void check_latents(const at::Tensor& latents, std::size_t images, const LatentSize& size);

}  // namespace sdx
