#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/embedding/dialect.h"
#include "sdx/embedding/embedding.h"

namespace sdx {

/// ".safetensors" or ".pt".
std::string_view find_extension(EmbeddingDialect dialect);

/// The files in which an embedding is written: `file`; in the dialect of diffusers, with vectors
/// for a second text encoder, also `<file>_2` with the same extension, the names that its script
/// gives.
std::vector<std::filesystem::path> list_embedding_files(const std::filesystem::path& file,
                                                        const Embedding& embedding,
                                                        EmbeddingDialect dialect);

/// Writes an embedding as float32, atomically, reads it back and compares it bit for bit. The same
/// embedding gives the same bytes: no time is written.
///
/// Vectors for the two text encoders of SDXL are `clip_l` and `clip_g` in one file: of safetensors
/// in kohya's form, of torch.save in AUTOMATIC1111's. In that of diffusers they are two files.
///
/// Of the metadata, what begins with `sdx.` or `modelspec.` goes along (other tools' notes may hold
/// paths and names of people); the number of steps and the model also from and to the words that
/// AUTOMATIC1111 has for them. Its form holds no more than these. In its form, in kohya's, and in
/// all with `clip_l` and `clip_g`, the word has no name but the file's.
/// @return list_embedding_files()
/// @throws IoError when the disk is full (an older file is still intact) or when what was read back
///         differs; DataError for vectors that are not finite, and for those for one of two text
///         encoders alone in another form than kohya's.
std::vector<std::filesystem::path> write_embedding(const std::filesystem::path& file,
                                                   const Embedding& embedding,
                                                   EmbeddingDialect dialect);

/// The same in our own form, which is always one file: for one text encoder that of diffusers, for
/// two that of kohya, which AUTOMATIC1111, Forge, ComfyUI, OneTrainer and invoke-training read,
/// too.
void write_embedding(const std::filesystem::path& file, const Embedding& embedding);

}  // namespace sdx
