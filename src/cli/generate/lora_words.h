#pragma once

#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/lora_table.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// Adds the words that lie inside of the LoRAs that were read.
/// @throws as read_lora_words() and EmbeddingTable::add_distinct().
void add_words_of_loras(const LoraTable& loras, EmbeddingTable& embeddings);

/// The same for the LoRAs of a prompt, as far as they are there.
void add_words_of_loras(const std::string& prompt, LoraTable& loras, EmbeddingTable& embeddings);

/// Says which layers of the pictures' LoRAs the model does not have.
/// @throws as fit_lora().
void say_lora_misfits(const Bundle& bundle, const std::vector<ImageJob>& jobs);

}  // namespace sdx
