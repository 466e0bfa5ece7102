#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "sdx/embedding/embedding.h"

namespace sdx {

/// The embeddings that prompts may use, by name. A name is found in each of its forms
/// (canonical_name()); case counts.
class EmbeddingTable {
 public:
  /// Adds one; an embedding of the same name is replaced.
  void add(Embedding embedding);

  /// Adds one, unless one of this name with the same vectors is there.
  /// @throws DataError naming both files if one of this name has other vectors.
  void add_distinct(Embedding embedding);

  /// Adds the words of a file, or those of a folder (not of folders in it).
  ///
  /// A file must be there and readable, and is expected to be used: see check_used(). A folder may
  /// be absent, and may hold anything: its `.safetensors`, `.pt`, `.pti`, `.bin` and `.png` files
  /// are tried, and what prompts cannot use is kept as a reason that at() gives to whoever asks for
  /// it. Pictures without an embedding in them count as not there. Two files that hold the halves
  /// of a word of SDXL (join_halves()) become one embedding.
  /// @throws DataError, MissingInputError as read_embeddings(), for a file; DataError naming both
  ///         files if two claim one name and differ in their vectors.
  void add_from(const std::filesystem::path& file_or_folder);

  bool contains(const std::string& name) const;

  /// @throws UsageError (64) listing the nearest known names, or saying what AUTOMATIC1111's
  ///         `<hypernet:…>` is; DataError with the reason if a file called so is in one of the
  ///         folders and cannot be used.
  const Embedding& at(const std::string& name) const;

  /// Throws what at() throws for a name that isn't here.
  /// @param others known beside those of the table
  [[noreturn]] void throw_unknown(const std::string& name,
                                  const std::vector<std::string>& others = {}) const;

  /// By canonical name; Embedding::name is as it was written.
  const std::map<std::string, Embedding>& all() const { return embeddings_; }

  /// The name that the writer of `name` probably meant. It may differ in case, in blanks around it,
  /// in a file's ending, or in a beginning such as "embedding:" that other tools want.
  /// @return empty if no embedding is called like that.
  std::string find_meant_name(const std::string& name) const;

  /// Whether each file that was given by its path, not found in a folder, was of use.
  /// @param names of all words that the prompts use
  /// @throws UsageError naming a file none of whose words is among them.
  void check_used(const std::vector<std::string>& names) const;

 private:
  void add_folder(const std::filesystem::path& folder);

  std::map<std::string, Embedding> embeddings_;
  std::map<std::filesystem::path, std::vector<std::string>> given_;  ///< the words of such files
  std::map<std::filesystem::path, std::string> unusable_;            ///< files of folders, and why
};

}  // namespace sdx
