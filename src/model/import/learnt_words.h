#pragma once

#include <filesystem>
#include <vector>

#include "model/import/checkpoint.h"

namespace sdx {

/// Takes words that textual inversion has put into a pipeline out of it again: their rows of the
/// text encoders' tables become embeddings (`learnt`), and the tables have the vocabulary's rows
/// alone. A word of several vectors is called as diffusers does it: "<cat-toy>", "<cat-toy>_1", …
/// A word of Stable Diffusion XL is in both tokenizers, under ids of their own.
/// What cannot be an embedding is left out, with a remark.
/// @param words   of the tokenizer of each text encoder, by their ids
/// @param folder  of the checkpoint, where the word's own file may lie
void take_learnt_words(const std::vector<std::vector<AddedWord>>& words,
                       const std::filesystem::path& folder, ModelCheckpoint& checkpoint);

}  // namespace sdx
