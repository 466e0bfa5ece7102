#include "sdx/embedding/embedding_reader.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <optional>

#include "embedding/dialects.h"
#include "embedding/png_embedding.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxHeaderBytes = 1'000'000;

/// A file's tensors before they are words.
struct Content {
  fs::path path;
  EmbeddingFormat format;
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

[[noreturn]] void fail(const fs::path& file, const std::string& reason) {
  throw DataError(file.string() + ": " + reason);
}

// ------------------------------------------------------------------------------------ containers

/// Tensors with names: what they mean follows from the names.
Content sort_content(const fs::path& file, TensorMap tensors, EmbeddingFormat otherwise) {
  const auto has = [&tensors](std::string_view name) {
    return tensors.contains(std::string(name));
  };
  if (has("IN01") && has("OUT11")) {
    fail(file,
         "a vector for each of the 16 layers of the UNet that look at the prompt (kohya's XTI), so "
         "it is no word that a prompt could hold; an ordinary textual inversion is needed");
  }
  EmbeddingFormat format = otherwise;
  for (const ReadableDialect& dialect : readable_dialects()) {
    for (const std::string_view mark : dialect.marks) {
      if (!mark.empty() && has(mark)) format = dialect.format;
    }
  }
  return {file, format, std::move(tensors), {}};
}

Content read_tensors(const fs::path& file) {
  const Safetensors stored = map_safetensors(file, kMaxHeaderBytes);
  Content content = sort_content(file, stored.tensors, EmbeddingFormat::kDiffusersSafetensors);
  content.metadata = stored.metadata;
  return content;
}

std::optional<std::string> read_text(const PickleValue* value) {
  if (value == nullptr) return std::nullopt;
  if (value->integer() != nullptr) return std::to_string(*value->integer());
  if (value->text() != nullptr && is_plain_text(*value->text())) return *value->text();
  return std::nullopt;
}

Content read_pickle(const fs::path& file) {
  const PickleValue root = read_torch_file(file);
  const PickleValue* parameters = root.find("string_to_param");
  if (parameters == nullptr) {
    return sort_content(file, list_tensors(&root, file.string()), EmbeddingFormat::kDiffusersBin);
  }
  const bool has_name = root.find("name") != nullptr;
  Content content{file,
                  has_name ? EmbeddingFormat::kA1111 : EmbeddingFormat::kOriginal,
                  list_tensors(parameters, file.string() + ": string_to_param"),
                  {}};
  for (const char* key : {"name", "step", "sd_checkpoint", "sd_checkpoint_name"}) {
    if (const auto text = read_text(root.find(key))) content.metadata[key] = *text;
  }
  return content;
}

Content read_image(const fs::path& file) {
  std::optional<PngEmbedding> embedding = read_png_embedding(file);
  if (!embedding) {
    fail(
        file,
        "a picture without the text chunk sd-ti-embedding. If AUTOMATIC1111 made it, the embedding "
        "is in its pixels only, which are not read here: convert it to .pt there");
  }
  return {file, EmbeddingFormat::kA1111Png, std::move(embedding->tensors),
          std::move(embedding->metadata)};
}

Content read_content(const fs::path& file) {
  std::string start;
  {
    const auto mapped = MappedFile::open(file);
    const auto bytes = mapped->bytes();
    if (bytes.empty()) fail(file, "the file is empty");
    if (bytes.size() > kMaxEmbeddingBytes) {
      fail(file, "has " + std::to_string(bytes.size()) + " bytes, an embedding at most " +
                     std::to_string(kMaxEmbeddingBytes) +
                     "; if it is a checkpoint: sdx-model import");
    }
    const auto head = bytes.first(std::min<std::size_t>(bytes.size(), 9));
    start.assign(reinterpret_cast<const char*>(head.data()), head.size());
  }
  if (start.starts_with("\x89PNG")) return read_image(file);
  // The length of a header stands before its brace, and can look like anything.
  if (start.size() == 9 && start.back() == '{') return read_tensors(file);
  if (start.starts_with("PK\x03\x04") || start.starts_with("\x80\x02")) return read_pickle(file);
  fail(file,
       "neither a safetensors file nor one of torch.save nor a PNG, or the beginning is damaged");
}

// ------------------------------------------------------------------------------------ words

/// The name that the file itself has for the word of this tensor; empty if none.
std::string name_inside(const Content& content, const std::string& key) {
  const bool in_brackets = key.size() > 2 && key.front() == '<' && key.back() == '>';
  switch (dialect_row(content.format).name) {
    case NameSource::kFileName:
      return "";
    case NameSource::kMetadata: {
      const auto name = content.metadata.find("name");
      return name != content.metadata.end() ? name->second : "";
    }
    case NameSource::kPlaceholder:
      // Anything may stand in brackets; without them, dots are what the weights of a network have.
      if (!in_brackets && key.find('.') != std::string::npos) {
        fail(content.path, "holds weights of a network, " + in_quotes(key) +
                               " for example: a LoRA or a checkpoint, not an embedding");
      }
      break;
    case NameSource::kTensorKey:
      break;
  }
  return in_brackets ? key.substr(1, key.size() - 2) : key;
}

std::string find_name(const Content& content, const std::string& key) {
  const std::string inside = name_inside(content, key);
  if (is_usable_name(inside)) return inside;
  const std::string stem = content.path.stem().string();
  if (!is_usable_name(stem)) {
    fail(content.path, "the word would be called as the file, which no word can be; rename it");
  }
  return stem;
}

at::Tensor read_vectors(const Content& content, const std::string& key) {
  const at::Tensor& tensor = content.tensors.at(key);
  if (!tensor.is_floating_point() || tensor.dim() < 1 || tensor.dim() > 2 || tensor.numel() == 0) {
    fail(content.path, "expected floating-point vectors [K,W] in " + in_quotes(key) + ", found " +
                           c10::toString(tensor.scalar_type()) + " with " +
                           std::to_string(tensor.dim()) + " dimensions and " +
                           std::to_string(tensor.numel()) + " values");
  }
  const at::Tensor vectors = tensor.to(at::kFloat).reshape({-1, tensor.size(-1)}).clone();
  if (!at::isfinite(vectors).all().item<bool>()) {
    fail(content.path, in_quotes(key) + " holds values that are not finite; train it again");
  }
  return vectors;
}

/// Tensors of the file that are no words: OneTrainer's vectors for what leaves the text encoder.
bool is_output_vectors(const Content& content, const std::string& key) {
  return dialect_row(content.format).has_output_vectors && key.ends_with("_out");
}

EmbeddingFile list_embedding_names(const Content& content) {
  EmbeddingFile file{content.path, content.format, {}, content.metadata, "", ""};
  const bool is_pair = content.format == EmbeddingFormat::kSdxlPair;
  file.unusable = dialect_row(content.format).unusable;
  for (const auto& [key, tensor] : content.tensors) {
    if (is_output_vectors(content, key)) {
      file.remark = "\"" + key + "\" is not used: it replaces what the text encoder says of the " +
                    "word, and the rest may have learnt nothing";
      continue;
    }
    StoredVectors word{find_name(content, key), key, read_vectors(content, key),
                       tensor.scalar_type()};
    const bool is_clash =
        !is_pair && std::any_of(file.words.begin(), file.words.end(),
                                [&](const auto& other) { return other.name == word.name; });
    if (is_clash) fail(content.path, "two words in it are called " + placeholder(word.name));
    file.words.push_back(std::move(word));
  }
  if (file.words.empty()) fail(content.path, "holds no tensor: not an embedding");
  return file;
}

}  // namespace

EmbeddingFile inspect_embedding(const fs::path& file) {
  return list_embedding_names(read_content(file));
}

std::vector<Embedding> read_embeddings(const fs::path& file) {
  EmbeddingFile content = inspect_embedding(file);
  if (!content.unusable.empty()) fail(file, content.unusable);
  std::vector<Embedding> embeddings;
  for (StoredVectors& word : content.words) {
    embeddings.push_back({word.name, word.vectors, content.metadata, file, content.remark});
  }
  return embeddings;
}

Embedding read_embedding(const fs::path& file) {
  std::vector<Embedding> embeddings = read_embeddings(file);
  if (embeddings.size() != 1) {
    std::vector<std::string> names;
    for (const Embedding& embedding : embeddings) names.push_back(placeholder(embedding.name));
    fail(file, "expected one word, found " + join(names, ", "));
  }
  return embeddings.front();
}

}  // namespace sdx
