#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/embedding/dialect.h"
#include "sdx/embedding/embedding.h"

namespace sdx {

/// Vectors in an embedding file.
struct StoredVectors {
  std::string name;             ///< of the word that they are, or are part of
  std::string key;              ///< of the tensor in the file
  at::Tensor vectors;           ///< [K,W] float32
  at::ScalarType stored_dtype;  ///< before they were converted
  /// Of a pair: for which of SDXL's text encoders they are, 0 or 1; nothing: for another one.
  std::optional<std::size_t> encoder;
};

/// The content of an embedding file.
struct EmbeddingFile {
  std::filesystem::path path;
  EmbeddingFormat format;
  std::vector<StoredVectors> words;  ///< of a pair for SDXL two with one name
  std::map<std::string, std::string> metadata;
  std::string remark;    ///< what of it is not used, and why; mostly empty
  std::string unusable;  ///< why prompts cannot use it; empty if they can
};

/// Looks into a file of any EmbeddingFormat. The content decides, not the extension; pickles are
/// read as data (see read_torch_file()), so nothing in a file is ever executed.
///
/// A word is called by its placeholder in the file, without brackets; where there is none or it is
/// "*", by the file's name without extension, as AUTOMATIC1111 does it (for its pictures: by `name`
/// inside).
/// @throws DataError for a damaged file; for one that holds something else, a LoRA or kohya's XTI
///         for example, saying what; for vectors that are not [W] or [K,W] of finite floating-point
///         numbers; for more than kMaxEmbeddingBytes of them. MissingInputError, IoError.
EmbeddingFile inspect_embedding(const std::filesystem::path& file);

/// The words of a file, for use in prompts. `clip_l` and `clip_g` are one word of SDXL; one of them
/// alone is such a word that does not reach the other text encoder, and its remark says so.
/// @throws as inspect_embedding(); DataError for a pair whose parts hold different numbers of
///         vectors (both are named), or with vectors for a third text encoder.
std::vector<Embedding> read_embeddings(const std::filesystem::path& file);

/// The words of several files. Halves of a word of SDXL, as diffusers writes them into two files,
/// become one: see join_halves().
/// @throws as for one file, and as join_halves().
std::vector<Embedding> read_embeddings(const std::vector<std::filesystem::path>& files);

/// The word of a file that holds one.
/// @throws as read_embeddings(); DataError for several.
Embedding read_embedding(const std::filesystem::path& file);

/// Embeddings have some ten to some hundred kilobytes; tensors of more are a checkpoint's. A file
/// of torch.save may be larger: a row of a token table is saved with the whole table.
inline constexpr std::uint64_t kMaxEmbeddingBytes = std::uint64_t{64} << 20U;

}  // namespace sdx
