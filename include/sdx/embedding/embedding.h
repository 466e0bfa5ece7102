#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace sdx {

/// A learned word: what `<Name>` in a prompt stands for.
struct Embedding {
  std::string name;    ///< without brackets, case as written
  at::Tensor vectors;  ///< [K,W] float32: K positions of the prompt, W the text encoder's width
  std::map<std::string, std::string> metadata;  ///< how it was made; never a path, host or user
  std::filesystem::path file;  ///< where it was read from; empty if it was made here
};

/// What stands in a prompt for the embedding of this name: "<Name>".
std::string placeholder(const std::string& name);

/// Reads diffusers' form: a `.safetensors` file with one tensor, [W] or [K,W], F32, F16 or BF16,
/// named as the placeholder.
/// @throws DataError for a damaged file, another form, or values that are not finite.
Embedding read_embedding(const std::filesystem::path& file);

/// Writes diffusers' form, atomically: `vectors` as float32 under the placeholder's name, metadata
/// `format` = "pt". Loads in diffusers by `load_textual_inversion(file)`.
/// @throws IoError when the disk is full: an older file is still intact.
void write_embedding(const std::filesystem::path& file, const Embedding& embedding);

/// The embeddings that prompts may use, by name.
class EmbeddingTable {
 public:
  /// Adds one; an embedding of the same name is replaced.
  void add(Embedding embedding);

  /// Adds a file, or every `.safetensors` file of a folder. An absent folder holds none.
  /// @throws DataError as read_embedding, or naming both files if two of them claim one name.
  void add_from(const std::filesystem::path& file_or_folder);

  bool contains(const std::string& name) const { return embeddings_.contains(name); }

  /// @throws UsageError (64) listing the nearest known names.
  const Embedding& at(const std::string& name) const;

  const std::map<std::string, Embedding>& all() const { return embeddings_; }

 private:
  std::map<std::string, Embedding> embeddings_;
};

}  // namespace sdx
