#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/settings.h"
#include "sdx/prompt/prompt_cache.h"

namespace sdx {

/// Whether all values are finite: one reduction.
bool is_finite(const at::Tensor& values);

/// Why an image is not made whose values are not finite, even in single precision, and what to
/// lower: each of guidance, weights and embeddings that is far beyond what is usual.
std::string describe_not_finite(const ImageRequest& request, const EmbeddingTable& embeddings,
                                PromptCache& prompts);

}  // namespace sdx
