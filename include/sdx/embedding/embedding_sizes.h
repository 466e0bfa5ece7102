#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"

namespace sdx {

/// The names of embeddings and their numbers of vectors: all that is needed to read and tokenise a
/// prompt. The vectors need not exist yet: training tokenises its sentences before there are any. A
/// name is found in each of its forms (canonical_name()).
class EmbeddingSizes {
 public:
  /// No embedding.
  EmbeddingSizes() = default;

  /// @param planned names of embeddings that are still to be made, and their numbers of vectors
  EmbeddingSizes(const std::map<std::string, int>& planned);

  /// Those of a table, which must outlive the sizes; a planned one replaces one of the same name.
  EmbeddingSizes(const EmbeddingTable& table, const std::map<std::string, int>& planned = {});

  bool contains(const std::string& name) const;

  /// Positions of a prompt that the embedding takes.
  /// @throws UsageError or DataError as EmbeddingTable::at(); the names that it lists include the
  ///         planned ones.
  int vector_count(const std::string& name) const;

  /// Refuses an embedding of the table that was made for another model; planned ones fit.
  /// @param widths of the vectors that the model's text encoders take
  /// @throws as vector_count(); DataError as sdx::check_widths().
  void check_widths(const std::string& name, const std::vector<std::int64_t>& widths) const;

 private:
  const EmbeddingTable* table_ = nullptr;
  std::map<std::string, int> planned_;  ///< by canonical name
};

}  // namespace sdx
