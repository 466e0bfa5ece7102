#include "sdx/embedding/embedding_sizes.h"

#include <vector>

#include "sdx/util/name.h"

namespace sdx {

EmbeddingSizes::EmbeddingSizes(const std::map<std::string, int>& planned) {
  for (const auto& [name, count] : planned) planned_[canonical_name(name)] = count;
}

EmbeddingSizes::EmbeddingSizes(const EmbeddingTable& table,
                               const std::map<std::string, int>& planned)
    : EmbeddingSizes(planned) {
  table_ = &table;
}

bool EmbeddingSizes::contains(const std::string& name) const {
  return planned_.contains(canonical_name(name)) || (table_ != nullptr && table_->contains(name));
}

int EmbeddingSizes::vector_count(const std::string& name) const {
  if (const auto found = planned_.find(canonical_name(name)); found != planned_.end())
    return found->second;
  if (contains(name)) return static_cast<int>(table_->at(name).vectors.count());
  std::vector<std::string> others;
  for (const auto& [planned, count] : planned_) others.push_back(planned);
  (table_ != nullptr ? *table_ : EmbeddingTable()).throw_unknown(name, others);
}

void EmbeddingSizes::check_widths(const std::string& name,
                                  const std::vector<std::int64_t>& widths) const {
  if (planned_.contains(canonical_name(name))) return;
  vector_count(name);
  sdx::check_widths(table_->at(name), widths);
}

}  // namespace sdx
