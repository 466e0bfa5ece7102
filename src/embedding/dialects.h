#pragma once

#include <span>
#include <string_view>

#include "sdx/embedding/dialect.h"
#include "sdx/embedding/embedding.h"

namespace sdx {

/// Where a file has the name of its embedding. Where it has none that can be used, the file's own
/// name stands for it.
enum class NameSource {
  kFileName,     ///< nowhere inside
  kMetadata,     ///< `name` of the metadata
  kTensorKey,    ///< the key of the tensor, mostly a placeholder in brackets
  kPlaceholder,  ///< the same; a key with dots and without brackets is a weight of a network
};

/// What is known of a dialect that is read. Its container says which of two without marks it is.
struct ReadableDialect {
  EmbeddingFormat format;
  NameSource name;
  std::array<std::string_view, 2> marks = {};  ///< keys of tensors that no other dialect has
  bool has_output_vectors = false;  ///< keys with "_out" replace what the text encoder says
  bool is_pair = false;  ///< the marks are the vectors for a model's first and second text encoder
};

/// What is known of a dialect that is written.
struct WritableDialect {
  EmbeddingDialect dialect;
  std::string_view extension;  ///< of its files
  bool holds_name;             ///< the file says the embedding's name

  /// Writes the embedding, whose vectors are in float32 on the processor.
  /// @param files of list_embedding_files()
  void (*write)(const std::vector<std::filesystem::path>& files, const Embedding& embedding);
};

std::span<const ReadableDialect> readable_dialects();
std::span<const WritableDialect> writable_dialects();

/// The row of a dialect.
const ReadableDialect& dialect_row(EmbeddingFormat format);
const WritableDialect& dialect_row(EmbeddingDialect dialect);

}  // namespace sdx
