#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "sdx/embedding/dialect.h"
#include "sdx/embedding/embedding.h"

namespace sdx {

/// ".safetensors" or ".pt".
std::string_view find_extension(EmbeddingDialect dialect);

/// Writes an embedding as float32, atomically, reads it back and compares it bit for bit. The same
/// embedding gives the same bytes: no time is written.
///
/// Of the metadata, what begins with `sdx.` or `modelspec.` goes along (other tools' notes may hold
/// paths and names of people); the number of steps and the model also from and to the words that
/// AUTOMATIC1111 has for them. Its form holds no more than these. In its form and kohya's the word
/// has no name but the file's.
/// @throws IoError when the disk is full (an older file is still intact) or when what was read back
///         differs; DataError for vectors that are not finite.
void write_embedding(const std::filesystem::path& file, const Embedding& embedding,
                     EmbeddingDialect dialect = EmbeddingDialect::kDiffusers);

}  // namespace sdx
