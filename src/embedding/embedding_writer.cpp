#include "sdx/embedding/embedding_writer.h"

#include <ATen/ops/isfinite.h>

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

void write_diffusers(const fs::path& file, const Embedding& embedding, const at::Tensor& vectors) {
  Metadata metadata = kept(embedding.metadata);
  metadata["format"] = "pt";
  write_safetensors(file, {{placeholder(embedding.name), vectors}}, metadata);
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

/// As its Embedding.save() does, in modules/textual_inversion/textual_inversion.py.
void write_a1111(const fs::path& file, const Embedding& embedding, const at::Tensor& vectors) {
  constexpr std::int64_t kStar = 265;  // the token "*" in CLIP's vocabulary
  PickleValue root = PickleValue::make_dict();
  const auto insert = [&root](const char* key, PickleValue value) {
    root.insert(PickleValue::make_text(key), std::move(value));
  };
  insert("string_to_token", wrap_in_dict("*", PickleValue::make_integer(kStar)));
  insert("string_to_param", wrap_in_dict("*", PickleValue::make_tensor(vectors)));
  insert("name", PickleValue::make_text(embedding.name));
  insert("step", number_or_none(find_value(embedding.metadata, kSteps)));
  insert("sd_checkpoint", text_or_none(find_value(embedding.metadata, kModelHash)));
  insert("sd_checkpoint_name", text_or_none(find_value(embedding.metadata, kModel)));
  write_torch_file(file, root);
}

/// What Stability AI's ModelSpec 1.0.0 asks for, as library/sai_model_spec.py of sd-scripts writes
/// it, but for the date. A word for SD 2 serves its models of 512 px and of 768 px, which share the
/// text encoder; the latter is named, for it is the one that is mostly in use.
Metadata model_spec(const Embedding& embedding) {
  const TextEncoderKind kind = text_encoder_kind(embedding.vectors.only().size(-1));
  const bool is_sd1 = kind == TextEncoderKind::kSd1;
  const bool is_sd2 = kind == TextEncoderKind::kSd2;
  Metadata spec = {
      {"modelspec.sai_model_spec", "1.0.0"},
      {"modelspec.implementation", "https://github.com/Stability-AI/generative-models"},
      {"modelspec.title", embedding.name}};
  if (is_sd1 || is_sd2) {
    spec["modelspec.architecture"] = is_sd1 ? "stable-diffusion-v1/textual-inversion"
                                            : "stable-diffusion-v2-768-v/textual-inversion";
    spec["modelspec.resolution"] = is_sd1 ? "512x512" : "768x768";
    spec["modelspec.prediction_type"] = is_sd1 ? "epsilon" : "v";
  }
  return spec;
}

void write_kohya(const fs::path& file, const Embedding& embedding, const at::Tensor& vectors) {
  Metadata metadata = kept(embedding.metadata);
  metadata.merge(model_spec(embedding));  // what the embedding says of itself stands
  metadata["format"] = "pt";
  write_safetensors(file, {{"emb_params", vectors}}, metadata);
}

void check_written(const fs::path& file, const Embedding& embedding, const at::Tensor& vectors,
                   const WritableDialect& dialect) {
  const Embedding back = read_embedding(file);
  const bool is_same =
      back.vectors.only().sizes() == vectors.sizes() &&
      std::memcmp(back.vectors.only().data_ptr(), vectors.data_ptr(), vectors.nbytes()) == 0 &&
      (!dialect.holds_name || back.name == embedding.name);
  if (!is_same) {
    throw IoError(file.string() +
                  ": what was written reads back as something else; the disk may be failing");
  }
}

constexpr std::array<ReadableDialect, 8> kReadable = {{
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
     .marks = {"clip_l", "clip_g"},
     .has_output_vectors = true,
     .unusable =
         "made for SDXL or a later model (it holds vectors for several text encoders), which are "
         "not supported; its parts are no words for SD 1.x or 2.x"},
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

void write_embedding(const fs::path& file, const Embedding& embedding, EmbeddingDialect dialect) {
  if (embedding.vectors.matrices().size() > 1) {
    throw DataError(placeholder(embedding.name) +
                    " has vectors for several text encoders, which no form of file holds yet");
  }
  const at::Tensor vectors = embedding.vectors.only().detach().cpu().to(at::kFloat).contiguous();
  if (!at::isfinite(vectors).all().item<bool>()) {
    throw DataError(placeholder(embedding.name) + " has values that are not finite: not written");
  }
  const WritableDialect& row = dialect_row(dialect);
  row.write(file, embedding, vectors);
  check_written(file, embedding, vectors, row);
}

}  // namespace sdx
