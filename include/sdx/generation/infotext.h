#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/image_options.h"
#include "sdx/generation/infotext_format.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// The text that is written into a picture: prompt, negative prompt, and all settings that are
/// needed to make the picture again, named and ordered as AUTOMATIC1111 does. Settings that change
/// nothing are left out; numbers have as many digits as it takes to read the same number back. An
/// autoencoder that is not the model's own is named by "VAE" and "VAE hash". The embeddings that
/// the prompts use are named with the beginning of their files' SHA-256 ("TI hashes"); start images
/// and masks are not, so that nothing of the disk's content gets into a picture.
Infotext infotext(const ImageRequest& request, const Bundle& bundle,
                  const EmbeddingTable& embeddings, const std::string& version,
                  const GenerationInfo& generation_info);

/// Takes prompt and settings from an image's text; settings that it does not mention stay as they
/// are. Fields that are no settings here are passed over.
/// @param is_given says of a setting's key whether it is known from elsewhere: then the text's
/// field
///        is not even looked at
/// @throws UsageError that names every field which cannot be read, such as a sampler that is not
///         there, each with the setting to give in its place.
void read_infotext(const Infotext& infotext, ImageOptions& options,
                   const std::function<bool(const std::string& key)>& is_given);

/// Whether a picture began with another one. AUTOMATIC1111's API writes its usual strengths (0, 0.7
/// and 0.75) where there was none, so that these alone do not say so.
bool was_made_from_image(const Infotext& infotext);

/// Lists what a text mentions that changes the picture and is not taken over here, each thing once:
/// "ADetailer", "ControlNet", "Refiner", … Fields that nobody knows are among it by their own
/// names.
std::vector<std::string> list_not_taken_over(const Infotext& infotext);

/// The embeddings that a text says were used ("TI hashes", "Used embeddings"), whether their names
/// stand in its prompts in < > or, as AUTOMATIC1111 has them, bare.
std::vector<std::string> list_stated_embeddings(const Infotext& infotext);

/// The batch that a picture was made in, for BatchOptions::replay; nothing if it was made alone.
std::optional<BatchPlace> read_batch_place(const Infotext& infotext);

}  // namespace sdx
