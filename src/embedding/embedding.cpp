#include "sdx/embedding/embedding.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <vector>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxHeaderBytes = 1'000'000;

}  // namespace

std::string placeholder(const std::string& name) { return "<" + name + ">"; }

Embedding read_embedding(const fs::path& file) {
  const Safetensors content = map_safetensors(file, kMaxHeaderBytes);
  if (content.tensors.size() != 1) {
    throw DataError(file.string() + ": expected one tensor named as the placeholder, found " +
                    std::to_string(content.tensors.size()) + " tensors");
  }
  const auto& [token, tensor] = *content.tensors.begin();
  const bool is_placeholder = token.size() > 2 && token.front() == '<' && token.back() == '>';
  if (!is_placeholder) {
    throw DataError(file.string() +
                    ": expected a tensor named as a placeholder, \"<Name>\", found \"" + token +
                    "\"");
  }
  if (!tensor.is_floating_point() || tensor.dim() < 1 || tensor.dim() > 2 || tensor.numel() == 0) {
    throw DataError(file.string() + ": expected floating-point vectors [K,W], found " +
                    c10::toString(tensor.scalar_type()) + " with " + std::to_string(tensor.dim()) +
                    " dimensions and " + std::to_string(tensor.numel()) + " values");
  }
  Embedding embedding;
  embedding.name = token.substr(1, token.size() - 2);
  embedding.vectors = tensor.to(at::kFloat).reshape({-1, tensor.size(-1)}).clone();
  embedding.metadata = content.metadata;
  embedding.file = file;
  if (!at::isfinite(embedding.vectors).all().item<bool>()) {
    throw DataError(file.string() + ": holds values that are not finite; train it again");
  }
  return embedding;
}

void write_embedding(const fs::path& file, const Embedding& embedding) {
  auto metadata = embedding.metadata;
  metadata["format"] = "pt";
  write_safetensors(file, {{placeholder(embedding.name), embedding.vectors.to(at::kFloat)}},
                    metadata);
}

void EmbeddingTable::add(Embedding embedding) {
  const std::string name = embedding.name;
  embeddings_[name] = std::move(embedding);
}

void EmbeddingTable::add_from(const fs::path& file_or_folder) {
  if (!fs::exists(file_or_folder)) return;
  std::vector<fs::path> files;
  if (fs::is_directory(file_or_folder)) {
    for (const auto& entry : fs::directory_iterator(file_or_folder)) {
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(file_or_folder);
  }
  for (const fs::path& path : files) {
    Embedding embedding = read_embedding(path);
    const auto known = embeddings_.find(embedding.name);
    if (known != embeddings_.end() && known->second.file != path) {
      throw DataError("two embeddings are called " + placeholder(embedding.name) + ": " +
                      known->second.file.string() + " and " + path.string() +
                      "; remove one of them");
    }
    add(std::move(embedding));
  }
}

const Embedding& EmbeddingTable::at(const std::string& name) const {
  const auto found = embeddings_.find(name);
  if (found != embeddings_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [other, embedding] : embeddings_) known.push_back(placeholder(other));
  const std::string nearest = join(nearest_words(placeholder(name), known), ", ");
  throw UsageError(
      placeholder(name) + " is not known. " +
      (nearest.empty() ? "There are no embeddings here yet" : "The nearest names are " + nearest) +
      "; sdx-train FOLDER --name " + name + " makes it, --embeddings DIR says where to look");
}

}  // namespace sdx
