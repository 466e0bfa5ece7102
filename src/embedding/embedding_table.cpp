#include "sdx/embedding/embedding_table.h"

#include <ATen/ops/equal.h>

#include <algorithm>
#include <array>

#include "embedding/png_embedding.h"
#include "sdx/embedding/embedding_reader.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::string find_extension(const fs::path& path) { return lower_case(path.extension().string()); }

/// Whether a file may be an embedding, by its name.
bool has_known_extension(const fs::path& path) {
  constexpr std::array<std::string_view, 5> kKnown = {".safetensors", ".pt", ".pti", ".bin",
                                                      ".png"};
  return std::find(kKnown.begin(), kKnown.end(), find_extension(path)) != kKnown.end();
}

/// A path that was typed, whose last component may be there in another form.
fs::path find_place(const fs::path& typed) {
  if (fs::exists(typed) || !typed.has_filename()) return typed;
  const fs::path folder = typed.has_parent_path() ? typed.parent_path() : fs::path(".");
  const fs::path found = find_named_entry(folder, typed.filename().string());
  return fs::exists(found) ? found : typed;
}

/// Whether `whole` has all that `part` has: of a word for two text encoders there may also be a
/// file for one of them.
bool is_part_of(const EmbeddingVectors& part, const EmbeddingVectors& whole) {
  const std::vector<at::Tensor>& matrices = part.matrices();
  if (matrices.size() > whole.matrices().size()) return false;
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    if (!part.reaches(i)) continue;
    if (!whole.reaches(i) || !at::equal(matrices[i], whole.matrix(i))) return false;
  }
  return true;
}

}  // namespace

void EmbeddingTable::add(Embedding embedding) {
  std::string name = canonical_name(embedding.name);
  embeddings_[std::move(name)] = std::move(embedding);
}

bool EmbeddingTable::contains(const std::string& name) const {
  return embeddings_.contains(canonical_name(name));
}

void EmbeddingTable::add_from(const fs::path& place) {
  const fs::path file_or_folder = find_place(place);
  if (fs::is_directory(file_or_folder)) {
    add_folder(file_or_folder);
  } else if (fs::exists(file_or_folder)) {
    std::vector<Embedding> embeddings = read_embeddings(file_or_folder);
    std::vector<std::string>& names = given_[file_or_folder];
    for (Embedding& word : embeddings) {
      names.push_back(word.name);
      add_distinct(std::move(word));
    }
  } else if (has_known_extension(file_or_folder)) {
    throw MissingInputError(file_or_folder.string() + ": no such file");
  }
}

void EmbeddingTable::add_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_regular_file() || !has_known_extension(entry.path())) continue;
    const bool is_image = find_extension(entry.path()) == ".png";
    if (!is_image || is_png_embedding(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    std::vector<Embedding> embeddings;
    try {
      embeddings = read_embeddings(file);
    } catch (const Error& error) {
      unusable_[file] = error.what();
    }
    for (Embedding& word : embeddings) add_distinct(std::move(word));
  }
}

void EmbeddingTable::add_distinct(Embedding embedding) {
  const auto known = embeddings_.find(canonical_name(embedding.name));
  if (known == embeddings_.end()) return add(std::move(embedding));
  // A copy, or another form of it.
  if (is_part_of(embedding.vectors, known->second.vectors)) return;
  if (is_part_of(known->second.vectors, embedding.vectors)) return add(std::move(embedding));
  if (auto whole = join_halves(known->second, embedding)) return add(std::move(*whole));
  throw DataError("two embeddings are called " + placeholder(embedding.name) + ": " +
                  known->second.file.string() + " and " + embedding.file.string() +
                  "; rename or remove one of them");
}

const Embedding& EmbeddingTable::at(const std::string& name) const {
  const auto found = embeddings_.find(canonical_name(name));
  if (found != embeddings_.end()) return found->second;
  throw_unknown(name);
}

std::string EmbeddingTable::find_meant_name(const std::string& name) const {
  if (!is_plain_text(name)) return "";
  std::vector<std::string> spellings = {trim(name)};
  // "embedding:Ada", "embed:people/Ada"
  if (const std::size_t mark = name.find_last_of(":/\\"); mark != name.npos) {
    spellings.push_back(trim(std::string_view(name).substr(mark + 1)));
  }
  for (std::size_t i = 0, count = spellings.size(); i < count; ++i) {
    const fs::path file = spellings[i];
    if (has_known_extension(file)) spellings.push_back(file.stem().string());
  }
  for (const std::string& spelling : spellings) {
    if (contains(spelling)) return at(spelling).name;
    for (const auto& [key, embedding] : embeddings_) {
      if (caseless_name(embedding.name) == caseless_name(spelling)) return embedding.name;
    }
  }
  return "";
}

void EmbeddingTable::throw_unknown(const std::string& name,
                                   const std::vector<std::string>& others) const {
  for (const auto& [file, reason] : unusable_) {
    if (is_same_name(file.stem().string(), name)) {
      throw DataError(placeholder(name) + " is there but cannot be used: " + reason);
    }
  }
  if (name.starts_with("hypernet:")) {
    throw UsageError(placeholder(name) +
                     " asks for a hypernetwork, which changes the model and is not supported: take "
                     "it out of the prompt");
  }
  if (const std::string meant = find_meant_name(name); !meant.empty()) {
    throw UsageError(placeholder(name) + " is not known; did you mean " + placeholder(meant) + "?");
  }
  std::vector<std::string> known;
  for (const auto& [key, embedding] : embeddings_) known.push_back(placeholder(embedding.name));
  for (const std::string& other : others) known.push_back(placeholder(other));
  const std::string nearest = join(nearest_words(placeholder(name), known), ", ");
  const std::string files =
      unusable_.empty()
          ? ""
          : ". Files that cannot be used: " + unusable_.begin()->first.string() +
                (unusable_.size() > 1 ? ", …" : "") + "; sdx-model embedding show FILE says why";
  throw UsageError(
      placeholder(name) + " is not known. " +
      (nearest.empty() ? "There are no embeddings here yet" : "The nearest names are " + nearest) +
      "; sdx-train makes it, `embeddings` says where to look" + files);
}

void EmbeddingTable::check_used(const std::vector<std::string>& names) const {
  const auto is_used = [&names](const std::string& name) {
    return std::any_of(names.begin(), names.end(),
                       [&name](const std::string& used) { return is_same_name(used, name); });
  };
  for (const auto& [file, embeddings] : given_) {
    if (std::any_of(embeddings.begin(), embeddings.end(), is_used)) continue;
    std::vector<std::string> placeholders;
    for (const std::string& word : embeddings) placeholders.push_back(placeholder(word));
    throw UsageError(file.string() + ": given, but no prompt uses it; write " +
                     join(placeholders, " or ") + " in a prompt, case as here, or leave it out");
  }
}

}  // namespace sdx
