#include <ATen/ops/linalg_vector_norm.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/model/shown_files.h"
#include "sdx/cli/tool.h"
#include "sdx/embedding/embedding_reader.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::string size_text(const at::Tensor& vectors) {
  return std::to_string(vectors.size(0)) + " x " + std::to_string(vectors.size(1));
}

// ------------------------------------------------------------------------------------------ show

std::string made_for_text(const StoredVectors& word) {
  if (!word.encoder) return made_for(word.vectors.size(1));
  return std::string("the ") + (*word.encoder == 0 ? "first" : "second") + " text encoder of SDXL";
}

/// Euclidean, of each vector.
std::vector<double> compute_norms(const at::Tensor& vectors) {
  const at::Tensor norms = at::linalg_vector_norm(vectors.to(at::kDouble), 2, 1);
  return {norms.data_ptr<double>(), norms.data_ptr<double>() + norms.numel()};
}

Json to_json(const EmbeddingFile& file) {
  Json words = Json::array();
  for (const StoredVectors& word : file.words) {
    words.push_back({{"name", word.name},
                     {"key", word.key},
                     {"vectors", word.vectors.size(0)},
                     {"width", word.vectors.size(1)},
                     {"dtype", dtype_name(word.stored_dtype)},
                     {"made_for", made_for_text(word)},
                     {"norms", compute_norms(word.vectors)}});
  }
  return {{"file", file.path.string()},      {"format", to_string(file.format)},
          {"usable", file.unusable.empty()}, {"words", words},
          {"metadata", file.metadata},       {"remark", file.remark},
          {"unusable", file.unusable}};
}

std::string norms_text(const at::Tensor& vectors) {
  const std::vector<double> norms = compute_norms(vectors);
  const auto [least, most] = std::minmax_element(norms.begin(), norms.end());
  char text[64];
  std::snprintf(text, sizeof text, norms.size() == 1 ? "%.3f" : "%.3f to %.3f", *least, *most);
  return text;
}

void print(const EmbeddingFile& file) {
  const auto line = [](const char* key, const std::string& value) {
    std::printf("%-10s%s\n", key, value.c_str());
  };
  line("file", file.path.string());
  line("format", std::string(to_string(file.format)));
  for (const StoredVectors& word : file.words) {
    line("word",
         placeholder(word.name) + (file.unusable.empty() && !word.encoder ? "" : ", " + word.key));
    line("vectors", size_text(word.vectors) + ", " + dtype_name(word.stored_dtype));
    line("made for", made_for_text(word));
    line("norms", norms_text(word.vectors));
  }
  for (const auto& [key, value] : file.metadata) {
    line("metadata", in_quotes(key) + " = " + in_quotes(value));
  }
  if (!file.remark.empty()) line("note", file.remark);
  if (!file.unusable.empty()) line("unusable", file.unusable);
}

ShownFile show(const std::string& path) {
  const EmbeddingFile file = inspect_embedding(path);
  return {to_json(file), [file] { print(file); }};
}

// --------------------------------------------------------------------------------------- convert

struct ConvertOptions {
  std::vector<std::string> files;
  EmbeddingDialect dialect = EmbeddingDialect::kDiffusers;
  std::string out;
  std::string name;
  bool replace = false;
};

/// A name becomes part of a path here, and it may come from anybody's file.
void check_file_name(const std::string& name, const char* advice) {
  if (name.find('/') != std::string::npos || name.starts_with('.')) {
    throw UsageError(placeholder(name) + " cannot be the name of a file; " + advice);
  }
}

void check_new_name(const std::string& name) {
  if (const auto fault = name_fault(name)) {
    throw UsageError("--name " + in_quotes(name) + ": " + *fault +
                     "; expected one word, for example AdaLovelace");
  }
}

/// Writes the embedding. @return the file, or the two of diffusers
std::vector<fs::path> convert(Embedding embedding, const ConvertOptions& options) {
  if (!options.name.empty()) embedding.name = options.name;
  if (options.out.empty()) check_file_name(embedding.name, "--out FILE or --name NAME");
  const fs::path out = options.out.empty()
                           ? fs::path(embedding.name + std::string(find_extension(options.dialect)))
                           : fs::path(options.out);
  for (const fs::path& file : list_embedding_files(out, embedding, options.dialect)) {
    if (!fs::exists(file) || options.replace) continue;
    throw CannotCreateError(file.string() + ": is there already; --force replaces it");
  }
  return write_embedding(out, embedding, options.dialect);
}

const SettingsTable<ConvertOptions>& convert_settings() {
  static const SettingsTable<ConvertOptions> kTable = [] {
    SettingsTable<ConvertOptions> table;
    table.group("Input");
    table
        .add("files", &ConvertOptions::files,
             "An embedding file of any tool; for SDXL also the two that diffusers writes")
        .names(SettingValue::kFile)
        .positional()
        .required();
    table.group("Output");
    table
        .add("to", &ConvertOptions::dialect,
             "diffusers (ours too; for SDXL two files), a1111 (AUTOMATIC1111's .pt) or kohya "
             "(ComfyUI's too, and ours for SDXL)")
        .required();
    table.add("out", &ConvertOptions::out, "Default: <Name>.safetensors or <Name>.pt, here")
        .names(SettingValue::kFile);
    table.add("name", &ConvertOptions::name, "Name of the new embedding; default: as it is");
    table.add("force", &ConvertOptions::replace, "Replace a file that is there already");
    return table;
  }();
  return kTable;
}

void convert_file(const ConvertOptions& options, const CommonOptions& common) {
  if (!options.name.empty()) check_new_name(options.name);
  const std::vector<Embedding> embeddings =
      read_embeddings(std::vector<fs::path>(options.files.begin(), options.files.end()));
  if (embeddings.size() > 1 && !(options.out.empty() && options.name.empty())) {
    throw UsageError(join(options.files, " and ") + ": " +
                     (options.files.size() > 1 ? "hold " : "holds ") +
                     std::to_string(embeddings.size()) +
                     " words, and each goes into a file of its name; leave out --out and --name");
  }
  for (const Embedding& embedding : embeddings) {
    const std::vector<fs::path> written = convert(embedding, options);
    if (!embedding.remark.empty()) say(embedding.remark);
    std::vector<std::string> names;
    for (const fs::path& file : written) names.push_back(file.string());
    say("Wrote " + join(names, " and ") + ": " + describe_size(embedding.vectors) + ", for " +
        made_for(embedding.vectors.widths()));
    for (const std::string& name : names) {
      say_json(common, {{"file", name}, {"to", to_string(options.dialect)}});
      if (!common.json) std::puts(name.c_str());
    }
  }
}

std::function<void()> define_show(CommandLine& line) {
  static const auto kSettings = make_shown_files_settings("Embedding files of any tool");
  return define_shown_files(line, kSettings, "embeddings", show);
}

std::function<void()> define_convert(CommandLine& line) {
  struct Asked {
    ConvertOptions options;
    CommonOptions common;
  };
  auto asked = std::make_shared<Asked>();
  line.add(convert_settings(), asked->options);
  add_message_options(line, asked->common);
  return [asked] { convert_file(asked->options, asked->common); };
}

}  // namespace

std::span<const Command> embedding_parts() {
  static constexpr Command kParts[] = {
      {"show", "Show what an embedding file is: its form, its words, what they were made for",
       "  sdx-model embedding show embeddings/*\n", define_show},
      {"convert", "Write an embedding in the form that another tool reads",
       "  sdx-model embedding convert embeddings/Ada.safetensors --to a1111\n"
       "  sdx-model embedding convert easynegative.pt --to diffusers --name negative\n",
       define_convert}};
  return kParts;
}

}  // namespace sdx
