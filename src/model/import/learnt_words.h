#pragma once

#include <filesystem>
#include <vector>

#include "model/import/checkpoint.h"

namespace sdx {

/// Takes words that textual inversion has put into a pipeline out of it again: their rows of the
/// text encoder's table become embeddings (`learnt`), and the table has the vocabulary's rows
/// alone. A word of several vectors is called as diffusers does it: "<cat-toy>", "<cat-toy>_1", …
/// What cannot be an embedding is left out, with a remark.
/// @param words   of the tokenizer, by their ids
/// @param folder  of the checkpoint, where the word's own file may lie
void take_learnt_words(const std::vector<AddedWord>& words, const std::filesystem::path& folder,
                       ModelCheckpoint& checkpoint);

}  // namespace sdx
