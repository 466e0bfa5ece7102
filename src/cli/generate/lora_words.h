#pragma once

#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/lora_table.h"
#include "sdx/model/bundle.h"

namespace sdx {

// A word inside of a LoRA is known to the pictures of that LoRA, as in AUTOMATIC1111: a picture
// that used it alone could not be made again from its text.

/// Puts brackets around the names in the prompts that stand there bare, see bracket_bare_names():
/// the names of files, and those inside of the LoRAs that the prompt names or `loras` of it asks
/// for, as far as they are there.
/// @throws as read_lora_words() and EmbeddingTable::add_distinct().
void bracket_known_names(ImageOptions& prompt, const EmbeddingTable& of_files, LoraTable& loras);

/// Adds the words that lie inside of the LoRAs that were read.
/// @param jobs of all pictures
/// @throws UsageError for a picture with such a word and without its LoRA; as read_lora_words() and
///         EmbeddingTable::add_distinct().
void add_words_of_loras(const std::vector<ImageJob>& jobs, const LoraTable& loras,
                        EmbeddingTable& embeddings);

/// Says which layers of the pictures' LoRAs the model does not have.
/// @throws as fit_lora().
void say_lora_misfits(const Bundle& bundle, const std::vector<ImageJob>& jobs);

}  // namespace sdx
