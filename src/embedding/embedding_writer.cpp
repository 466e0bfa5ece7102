#include "sdx/embedding/embedding_writer.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "embedding/dialects.h"
#include "sdx/embedding/embedding_reader.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/tensor/torch_writer.h"
#include "sdx/util/error.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

using Metadata = std::map<std::string, std::string>;

/// What AUTOMATIC1111 calls some of our metadata.
struct Synonym {
  const char* ours;
  const char* theirs;
};

constexpr Synonym kSteps = {"sdx.steps", "step"};
constexpr Synonym kModelHash = {"sdx.model_hash", "sd_checkpoint"};
constexpr Synonym kModel = {"sdx.model", "sd_checkpoint_name"};

/// Empty if it is not known.
std::string find_value(const Metadata& metadata, const Synonym& key) {
  for (const char* name : {key.ours, key.theirs}) {
    if (const auto found = metadata.find(name); found != metadata.end()) return found->second;
  }
  return "";
}

/// What of the metadata goes into a file of ours.
Metadata kept(const Metadata& metadata) {
  Metadata result;
  for (const auto& [key, value] : metadata) {
    if (key.starts_with("sdx.") || key.starts_with("modelspec.")) result[key] = value;
  }
  for (const Synonym& key : {kSteps, kModelHash, kModel}) {
    if (const std::string value = find_value(metadata, key); !value.empty()) {
      result[key.ours] = value;
    }
  }
  return result;
}

/// The keys under which one file holds the vectors for two text encoders.
constexpr std::array kPairKeys = {"clip_l", "clip_g"};

/// Whether the vectors are for a model with several text encoders.
bool is_for_several(const Embedding& embedding) { return embedding.vectors.matrices().size() > 1; }

/// A file for each text encoder, as textual_inversion_sdxl.py of diffusers writes them.
void write_diffusers(const std::vector<fs::path>& files, const Embedding& embedding) {
  Metadata metadata = kept(embedding.metadata);
  metadata["format"] = "pt";
  for (std::size_t encoder = 0; encoder < files.size(); ++encoder) {
    if (is_for_several(embedding)) metadata[kEncoderKey] = std::to_string(encoder + 1);
    write_safetensors(files[encoder],
                      {{placeholder(embedding.name), embedding.vectors.matrix(encoder)}}, metadata);
  }
}

PickleValue text_or_none(const std::string& text) {
  return text.empty() ? PickleValue() : PickleValue::make_text(text);
}

PickleValue number_or_none(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number ? PickleValue::make_integer(number) : PickleValue();
}

PickleValue wrap_in_dict(const char* key, PickleValue value) {
  PickleValue dict = PickleValue::make_dict();
  dict.insert(PickleValue::make_text(key), std::move(value));
  return dict;
}

/// As its Embedding.save() does, in modules/textual_inversion/textual_inversion.py; that for two
/// text encoders as its create_embedding_from_data() reads it.
void write_a1111(const std::vector<fs::path>& files, const Embedding& embedding) {
  constexpr std::int64_t kStar = 265;  // the token "*" in CLIP's vocabulary
  PickleValue root = PickleValue::make_dict();
  const auto insert = [&root](const char* key, PickleValue value) {
    root.insert(PickleValue::make_text(key), std::move(value));
  };
  if (is_for_several(embedding)) {
    for (std::size_t i = 0; i < kPairKeys.size(); ++i) {
      insert(kPairKeys[i], PickleValue::make_tensor(embedding.vectors.matrix(i)));
    }
    write_torch_file(files.front(), root);
    return;
  }
  insert("string_to_token", wrap_in_dict("*", PickleValue::make_integer(kStar)));
  insert("string_to_param", wrap_in_dict("*", PickleValue::make_tensor(embedding.vectors.only())));
  insert("name", PickleValue::make_text(embedding.name));
  insert("step", number_or_none(find_value(embedding.metadata, kSteps)));
  insert("sd_checkpoint", text_or_none(find_value(embedding.metadata, kModelHash)));
  insert("sd_checkpoint_name", text_or_none(find_value(embedding.metadata, kModel)));
  write_torch_file(files.front(), root);
}

/// What ModelSpec says of the models of a family.
struct ModelSpec {
  std::string_view models;  ///< made_for()
  const char* architecture;
  const char* resolution;
  const char* prediction_type;
};

constexpr std::array<ModelSpec, 3> kModelSpecs = {{
    {"SD 1.x", "stable-diffusion-v1", "512x512", "epsilon"},
    {"SD 2.x", "stable-diffusion-v2-768-v", "768x768", "v"},
    {"SDXL", "stable-diffusion-xl-v1-base", "1024x1024", "epsilon"},
}};

/// What Stability AI's ModelSpec 1.0.0 asks for, as library/sai_model_spec.py of sd-scripts writes
/// it, but for the date. A word for SD 2 serves its models of 512 px and of 768 px, which share the
/// text encoder; the latter is named, for it is the one that is mostly in use.
Metadata model_spec(const Embedding& embedding) {
  const std::string models = made_for(embedding.vectors.widths());
  Metadata spec = {
      {"modelspec.sai_model_spec", "1.0.0"},
      {"modelspec.implementation", "https://github.com/Stability-AI/generative-models"},
      {"modelspec.title", embedding.name}};
  for (const ModelSpec& row : kModelSpecs) {
    if (models != row.models) continue;
    spec["modelspec.architecture"] = std::string(row.architecture) + "/textual-inversion";
    spec["modelspec.resolution"] = row.resolution;
    spec["modelspec.prediction_type"] = row.prediction_type;
  }
  return spec;
}

void write_kohya(const std::vector<fs::path>& files, const Embedding& embedding) {
  Metadata metadata = kept(embedding.metadata);
  metadata.merge(model_spec(embedding));  // what the embedding says of itself stands
  metadata["format"] = "pt";
  TensorMap tensors;
  if (is_for_several(embedding)) {
    for (std::size_t i = 0; i < kPairKeys.size(); ++i) {
      if (embedding.vectors.reaches(i)) tensors[kPairKeys[i]] = embedding.vectors.matrix(i);
    }
  } else {
    tensors["emb_params"] = embedding.vectors.only();
  }
  write_safetensors(files.front(), tensors, metadata);
}

bool have_same_bytes(const EmbeddingVectors& one, const EmbeddingVectors& other) {
  return have_same_shapes(one, other) &&
         std::ranges::equal(
             one.matrices(), other.matrices(), [](const at::Tensor& a, const at::Tensor& b) {
               return !a.defined() || std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
             });
}

void check_written(const std::vector<fs::path>& files, const Embedding& embedding,
                   const WritableDialect& dialect) {
  const std::vector<Embedding> back = read_embeddings(files);
  const bool is_same = back.size() == 1 &&
                       have_same_bytes(back.front().vectors, embedding.vectors) &&
                       (!dialect.holds_name || back.front().name == embedding.name);
  if (!is_same) {
    throw IoError(files.front().string() +
                  ": what was written reads back as something else; the disk may be failing");
  }
}

/// @throws DataError if the dialect has no place for some of the vectors.
void check_writable(const Embedding& embedding, EmbeddingDialect dialect) {
  const EmbeddingVectors& vectors = embedding.vectors;
  if (vectors.matrices().size() > kPairKeys.size()) {
    throw DataError(placeholder(embedding.name) + " has vectors for " +
                    std::to_string(vectors.matrices().size()) +
                    " text encoders, and no form of file holds more than two");
  }
  if (!vectors.reaches_all() && dialect != EmbeddingDialect::kKohya) {
    throw DataError(placeholder(embedding.name) + " " + describe_reach(vectors) +
                    ". Only kohya's form holds that (`to` kohya)");
  }
  for (const at::Tensor& matrix : vectors.matrices()) {
    if (matrix.defined() && !at::isfinite(matrix).all().item<bool>()) {
      throw DataError(placeholder(embedding.name) + " has values that are not finite: not written");
    }
  }
}

constexpr std::array<ReadableDialect, 9> kReadable = {{
    {.format = EmbeddingFormat::kDiffusersSafetensors, .name = NameSource::kPlaceholder},
    {.format = EmbeddingFormat::kDiffusersBin, .name = NameSource::kPlaceholder},
    {.format = EmbeddingFormat::kOriginal, .name = NameSource::kTensorKey},
    {.format = EmbeddingFormat::kA1111, .name = NameSource::kTensorKey},
    {.format = EmbeddingFormat::kA1111Png, .name = NameSource::kMetadata},
    {.format = EmbeddingFormat::kKohya, .name = NameSource::kFileName, .marks = {"emb_params"}},
    {.format = EmbeddingFormat::kOneTrainer,
     .name = NameSource::kFileName,
     .marks = {"emp_params"},
     .has_output_vectors = true},
    {.format = EmbeddingFormat::kSdxlPair,
     .name = NameSource::kFileName,
     .marks = {kPairKeys[0], kPairKeys[1]},
     .has_output_vectors = true,
     .is_pair = true},
    {.format = EmbeddingFormat::kReplicate,
     .name = NameSource::kFileName,
     .marks = {"text_encoders_0", "text_encoders_1"},
     .is_pair = true},
}};

constexpr std::array<WritableDialect, 3> kWritable = {{
    {EmbeddingDialect::kDiffusers, ".safetensors", true, write_diffusers},
    {EmbeddingDialect::kA1111, ".pt", false, write_a1111},
    {EmbeddingDialect::kKohya, ".safetensors", false, write_kohya},
}};

}  // namespace

std::span<const ReadableDialect> readable_dialects() { return kReadable; }

std::span<const WritableDialect> writable_dialects() { return kWritable; }

const ReadableDialect& dialect_row(EmbeddingFormat format) {
  for (const ReadableDialect& row : kReadable) {
    if (row.format == format) return row;
  }
  throw InternalError("a dialect of embeddings without a row in kReadable");
}

const WritableDialect& dialect_row(EmbeddingDialect dialect) {
  for (const WritableDialect& row : kWritable) {
    if (row.dialect == dialect) return row;
  }
  throw InternalError("a dialect of embeddings without a row in kWritable");
}

std::string_view find_extension(EmbeddingDialect dialect) { return dialect_row(dialect).extension; }

std::vector<fs::path> list_embedding_files(const fs::path& file, const Embedding& embedding,
                                           EmbeddingDialect dialect) {
  std::vector<fs::path> files = {file};
  if (dialect != EmbeddingDialect::kDiffusers) return files;
  for (std::size_t i = 1; i < embedding.vectors.matrices().size(); ++i) {
    files.push_back(file);
    files.back().replace_filename(file.stem().string() + "_" + std::to_string(i + 1) +
                                  file.extension().string());
  }
  return files;
}

std::vector<fs::path> write_embedding(const fs::path& file, const Embedding& embedding,
                                      EmbeddingDialect dialect) {
  Embedding written = embedding;
  written.metadata.erase(kEncoderKey);
  written.vectors = embedding.vectors.map(
      [](const at::Tensor& matrix) { return matrix.detach().cpu().to(at::kFloat).contiguous(); });
  check_writable(written, dialect);
  const WritableDialect& row = dialect_row(dialect);
  std::vector<fs::path> files = list_embedding_files(file, written, dialect);
  row.write(files, written);
  check_written(files, written, row);
  return files;
}

void write_embedding(const fs::path& file, const Embedding& embedding) {
  write_embedding(
      file, embedding,
      is_for_several(embedding) ? EmbeddingDialect::kKohya : EmbeddingDialect::kDiffusers);
}

}  // namespace sdx
