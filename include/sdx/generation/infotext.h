#pragma once

#include <string>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/infotext_format.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// What is written into a picture: prompt, negative prompt, and settings that are enough to make
/// the picture again, named and ordered as AUTOMATIC1111 does. Settings that change nothing are
/// left out; numbers have as many digits as it takes to read the same number back. The embeddings
/// that the prompts use are named with the beginning of their files' SHA-256 ("TI hashes"); start
/// images and masks are not: what was on the disk stays there.
Infotext infotext(const ImageRequest& request, const Bundle& bundle,
                  const EmbeddingTable& embeddings, const std::string& version,
                  const Making& making);

/// Whether a picture began with another one.
bool was_made_from_picture(const Infotext& infotext);

/// The batch that a picture was made in, for BatchOptions::replay; nothing if it was made alone.
std::optional<BatchPlace> batch_place_of(const Infotext& infotext);

}  // namespace sdx
