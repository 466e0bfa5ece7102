#include "model/import/tensor_names.h"

#include "sdx/util/error.h"

namespace sdx {

bool holds(const TensorMap& tensors, const std::string& name) { return tensors.contains(name); }

bool holds_prefix(const TensorMap& tensors, std::string_view prefix) {
  const auto next = tensors.lower_bound(std::string(prefix));
  return next != tensors.end() && next->first.starts_with(prefix);
}

TensorMap without_prefix(const TensorMap& tensors, std::string_view prefix) {
  TensorMap result;
  for (auto it = tensors.lower_bound(std::string(prefix));
       it != tensors.end() && it->first.starts_with(prefix); ++it) {
    result[it->first.substr(prefix.size())] = it->second;
  }
  return result;
}

int read_size(const TensorMap& tensors, const std::string& name, std::int64_t dimension,
              const std::string& file) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw DataError(file + ": tensor \"" + name + "\" is missing");
  if (found->second.dim() <= dimension) {
    throw DataError(file + ": tensor \"" + name + "\": expected more than " +
                    std::to_string(dimension) + " dimensions, found " +
                    std::to_string(found->second.dim()));
  }
  return static_cast<int>(found->second.size(dimension));
}

int count_indices(const TensorMap& tensors, const std::string& before, const std::string& after) {
  int count = 0;
  while (holds(tensors, before + std::to_string(count) + after)) ++count;
  return count;
}

std::string rename_beginning(const std::string& name, const Renames& renames) {
  for (const auto& [from, to] : renames) {
    if (name.starts_with(from) && (name.size() == from.size() || name[from.size()] == '.')) {
      return to + name.substr(from.size());
    }
  }
  return name;
}

}  // namespace sdx
