#include "sdx/embedding/embedding_reader.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <optional>
#include <set>

#include "embedding/dialects.h"
#include "embedding/png_embedding.h"
#include "sdx/tensor/container.h"
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
  std::string unusable = {};  ///< why prompts cannot use any of it
};

bool is_pair(const Content& content) { return dialect_row(content.format).is_pair; }

[[noreturn]] void fail(const fs::path& file, const std::string& reason) {
  throw DataError(file.string() + ": " + reason);
}

/// Tensors of the file that are no words: OneTrainer's vectors for what leaves the text encoder.
bool is_output_vectors(const Content& content, const std::string& key) {
  return dialect_row(content.format).has_output_vectors && key.ends_with("_out");
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

/// A small tensor may be a view of a large storage, which is then all in the file: a row of a whole
/// token table. So what counts is the tensors, not the file.
void check_size(const fs::path& file, const TensorMap& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [key, tensor] : tensors) bytes += tensor.nbytes();
  if (bytes <= kMaxEmbeddingBytes) return;
  fail(file, "holds tensors of " + std::to_string(bytes) + " bytes, an embedding at most " +
                 std::to_string(kMaxEmbeddingBytes) +
                 ". If it is a checkpoint: sdx-model import; if it is a whole token table: save "
                 "only the rows of the new word");
}

Content read_pickle(const fs::path& file) {
  const bool is_small = fs::file_size(file) <= kMaxEmbeddingBytes;
  const PickleValue root =
      read_torch_file(file, is_small ? TorchChecks::kAll : TorchChecks::kPickleOnly);
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

/// An embedding is for one text encoder, whose vectors have one width, or for the two of SDXL.
void find_several_widths(Content& content) {
  std::set<std::int64_t> widths;
  bool are_weights = false;
  for (const auto& [key, tensor] : content.tensors) {
    if (is_output_vectors(content, key)) continue;
    if (tensor.dim() > 0) widths.insert(tensor.size(-1));
    are_weights = are_weights || (!key.starts_with('<') && key.find('.') != std::string::npos);
  }
  if (widths.size() < 2 || are_weights || is_pair(content)) return;
  std::vector<std::string> texts;
  for (const std::int64_t width : widths) texts.push_back(std::to_string(width));
  const bool is_sdxl = content.tensors.size() == 2 &&
                       text_encoder_kind(*widths.begin()) == TextEncoderKind::kSd1 &&
                       text_encoder_kind(*widths.rbegin()) == TextEncoderKind::kSdxlSecond;
  if (is_sdxl) {
    content.format = EmbeddingFormat::kSdxlPair;
    return;
  }
  content.unusable =
      "holds vectors of several widths (" + join(texts, ", ") +
      "), so it was made for a model with several text encoders, which is none of those that are "
      "supported; its parts are no words for SD 1.x or 2.x";
}

Content read_container(const fs::path& file) {
  constexpr std::size_t kLengthBytes = 8;
  const std::string start = read_file_start(file, kLengthBytes + 1);
  if (start.empty()) fail(file, "the file is empty");
  const bool is_image = start.starts_with("\x89PNG");
  const bool is_torch = !is_image && find_container(file) == TensorContainer::kTorch;
  if (is_torch) return read_pickle(file);
  if (const std::uint64_t bytes = fs::file_size(file); bytes > kMaxEmbeddingBytes) {
    fail(file, "has " + std::to_string(bytes) + " bytes, an embedding at most " +
                   std::to_string(kMaxEmbeddingBytes) +
                   "; if it is a checkpoint: sdx-model import");
  }
  if (is_image) return read_image(file);
  // The length of a header stands before its brace, and can look like anything.
  if (start.size() > kLengthBytes && start.back() == '{') return read_tensors(file);
  fail(file,
       "neither a safetensors file nor one of torch.save nor a PNG, or the beginning is damaged");
}

Content read_content(const fs::path& file) {
  Content content = read_container(file);
  check_size(file, content.tensors);
  find_several_widths(content);
  return content;
}

// ------------------------------------------------------------------------------------ words

/// "<cat>" is cat. So diffusers calls the further vectors of a word: "<cat>_1" is cat_1.
std::string without_brackets(const std::string& key) {
  const std::size_t end = key.find('>');
  if (!key.starts_with('<') || end == key.npos || end < 2) return key;
  const std::string rest = key.substr(end + 1);
  const bool is_numbered =
      rest.size() > 1 && rest.front() == '_' &&
      std::all_of(rest.begin() + 1, rest.end(), [](char c) { return c >= '0' && c <= '9'; });
  return rest.empty() || is_numbered ? key.substr(1, end - 1) + rest : key;
}

/// The name that the file itself has for the word of this tensor; empty if none.
std::string name_inside(const Content& content, const std::string& key) {
  const bool in_brackets = key.size() > 2 && key.front() == '<' && key.find('>') != key.npos;
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
  return without_brackets(key);
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

/// Which of SDXL's text encoders the tensor of a pair is for; nothing if for none of them.
std::optional<std::size_t> find_encoder(const Content& content, const std::string& key) {
  const auto& marks = dialect_row(content.format).marks;
  const auto mark = std::find(marks.begin(), marks.end(), key);
  if (mark != marks.end()) return static_cast<std::size_t>(mark - marks.begin());
  const bool has_marks = std::any_of(marks.begin(), marks.end(), [&](std::string_view one) {
    return content.tensors.contains(std::string(one));
  });
  if (has_marks) return std::nullopt;
  // Two tensors under other names, told by their widths.
  const TextEncoderKind kind = text_encoder_kind(content.tensors.at(key).size(-1));
  return kind == TextEncoderKind::kSdxlSecond ? 1 : 0;
}

/// Why the parts of a pair are no word; empty if they are.
std::string find_fault_of_pair(const std::vector<StoredVectors>& parts) {
  for (const StoredVectors& part : parts) {
    if (part.encoder) continue;
    return "holds \"" + part.key +
           "\" for a further text encoder: made for SD 3, Flux or a later " +
           "model, which are not supported";
  }
  const std::int64_t count = parts.front().vectors.size(0);
  const std::int64_t other = parts.back().vectors.size(0);
  if (count == other) return "";
  return "\"" + parts.front().key + "\" holds " + std::to_string(count) + " vectors and \"" +
         parts.back().key + "\" " + std::to_string(other) +
         "; both text encoders need as many, for a vector is a position of the prompt. Train the "
         "word anew, or take the file from its maker again";
}

EmbeddingFile list_embedding_names(const Content& content) {
  EmbeddingFile file{content.path, content.format, {}, content.metadata, "", content.unusable};
  for (const auto& [key, tensor] : content.tensors) {
    if (is_output_vectors(content, key)) {
      file.remark = "\"" + key + "\" is not used: it replaces what the text encoder says of the " +
                    "word, and the rest may have learnt nothing";
      continue;
    }
    StoredVectors word{find_name(content, key), key, read_vectors(content, key),
                       tensor.scalar_type(), std::nullopt};
    if (is_pair(content)) word.encoder = find_encoder(content, key);
    const bool is_clash = !is_pair(content) &&
                          std::any_of(file.words.begin(), file.words.end(),
                                      [&](const auto& other) { return other.name == word.name; });
    if (is_clash) fail(content.path, "two words in it are called " + placeholder(word.name));
    file.words.push_back(std::move(word));
  }
  if (file.words.empty()) fail(content.path, "holds no tensor: not an embedding");
  if (is_pair(content)) file.unusable = find_fault_of_pair(file.words);
  return file;
}

/// The vectors of a pair, of which one may be absent.
EmbeddingVectors join_pair(const std::vector<StoredVectors>& parts) {
  std::vector<at::Tensor> matrices(2);
  for (const StoredVectors& part : parts) matrices.at(*part.encoder) = part.vectors;
  return EmbeddingVectors(std::move(matrices));
}

/// A matrix by itself. One whose width only SDXL's second text encoder has, or of which the
/// metadata say so, is half a word.
EmbeddingVectors place_matrix(const at::Tensor& matrix,
                              const std::map<std::string, std::string>& metadata) {
  const auto said = metadata.find(kEncoderKey);
  if (said != metadata.end() && said->second == "1") {
    return EmbeddingVectors(std::vector<at::Tensor>{matrix, {}});
  }
  const bool is_second = said != metadata.end()
                             ? said->second == "2"
                             : text_encoder_kind(matrix.size(1)) == TextEncoderKind::kSdxlSecond;
  return is_second ? EmbeddingVectors(std::vector<at::Tensor>{{}, matrix})
                   : EmbeddingVectors(matrix);
}

std::string join_remarks(const std::string& one, const std::string& other) {
  return one + (one.empty() || other.empty() ? "" : "; ") + other;
}

}  // namespace

EmbeddingFile inspect_embedding(const fs::path& file) {
  return list_embedding_names(read_content(file));
}

std::vector<Embedding> read_embeddings(const fs::path& file) {
  const EmbeddingFile content = inspect_embedding(file);
  if (!content.unusable.empty()) fail(file, content.unusable);
  std::vector<Embedding> embeddings;
  const auto add = [&](const std::string& name, EmbeddingVectors vectors) {
    const std::string remark = join_remarks(describe_reach(vectors), content.remark);
    embeddings.push_back({name, std::move(vectors), content.metadata, file, remark});
  };
  if (dialect_row(content.format).is_pair) {
    add(content.words.front().name, join_pair(content.words));
    return embeddings;
  }
  for (const StoredVectors& word : content.words) {
    add(word.name, place_matrix(word.vectors, content.metadata));
  }
  return embeddings;
}

std::vector<Embedding> read_embeddings(const std::vector<fs::path>& files) {
  std::vector<Embedding> all;
  for (const fs::path& file : files) {
    for (Embedding& embedding : read_embeddings(file)) {
      std::optional<Embedding> whole;
      for (Embedding& known : all) {
        whole = join_halves(known, embedding);
        if (!whole) continue;
        known = std::move(*whole);
        break;
      }
      if (!whole) all.push_back(std::move(embedding));
    }
  }
  return all;
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
