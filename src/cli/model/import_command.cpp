#include "cli/model/import_command.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "cli/output_folder.h"
#include "sdx/cli/progress.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/model/import/import.h"
#include "sdx/model/model_folders.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/name.h"
#include "sdx/util/remove.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Where an import goes: `$SDX_MODELS` may be a folder of all users that this one can only read,
/// and what this user imports is then kept in a folder of their own.
fs::path choose_models_folder(const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  const std::optional<fs::path> shared = find_shared_models_folder();
  if (shared && may_write_into(*shared)) return *shared;
  const std::optional<fs::path> own = find_own_models_folder();
  if (!own) {
    throw UsageError(
        std::string(shared ? "$SDX_MODELS may not be written by this user, and " : "") +
        "there is no home folder; --models-dir DIR says where models are kept");
  }
  if (shared) {
    say("this user may not write to $SDX_MODELS (" + shared->string() +
        "), so the model is kept in " + own->string());
  }
  return *own;
}

std::optional<PredictionType> parse_prediction_choice(const std::string& text) {
  if (text == "auto") return std::nullopt;
  for (const auto type : {PredictionType::kEpsilon, PredictionType::kVelocity}) {
    if (text == to_string(type)) return type;
  }
  throw UsageError("--prediction: expected auto, epsilon or v_prediction, found \"" + text + "\"");
}

struct ImportArguments {
  ImportOptions options;
  std::string source;
  std::string folder;
  CommonOptions common;
};

const SettingsTable<ImportArguments>& import_settings() {
  using Arguments = ImportArguments;
  const auto member = [](auto pointer) { return nested(&Arguments::options, pointer); };
  static const SettingsTable<Arguments> kTable = [&] {
    SettingsTable<Arguments> table;
    table.group("Input");
    table
        .add("checkpoint", &Arguments::source,
             "A .safetensors or .ckpt file, or a folder in diffusers' layout")
        .names(SettingValue::kFile)
        .positional()
        .required();
    table.add("variant", member(&ImportOptions::variant),
              "Variant of a folder's files, e.g. fp16; default: files without one, else the only "
              "one");
    table
        .add_spelled(
            "prediction",
            [](const Arguments& arguments) {
              const auto& type = arguments.options.prediction;
              return type ? std::string(to_string(*type)) : std::string("auto");
            },
            [](Arguments& arguments, const std::string& text) {
              arguments.options.prediction = parse_prediction_choice(text);
            },
            "What the UNet predicts: epsilon or v_prediction; auto: what the checkpoint says")
        .may_be({"auto", "epsilon", "v_prediction"});
    table.add_spelled(
        "schedule", [](const Arguments& arguments) { return to_text(arguments.options.schedule); },
        [](Arguments& arguments, const std::string& text) {
          arguments.options.schedule = parse_schedule_choice(text);
        },
        "What the file does not say of its noise, with commas between: v_prediction, epsilon, "
        "ztsnr, trailing, linear");
    table
        .add_spelled(
            "vae", [](const Arguments& arguments) { return arguments.options.vae.string(); },
            [](Arguments& arguments, const std::string& text) { arguments.options.vae = text; },
            "Use the autoencoder of this file or folder in place of the checkpoint's own")
        .names(SettingValue::kFile);
    table.group("Output");
    table.add("name", member(&ImportOptions::name), "Name of the model").required();
    table
        .add("models-dir", &Arguments::folder,
             "Folder of the models; default: $SDX_MODELS if you may write there, else your own, "
             "~/.local/share/sdx/models")
        .names(SettingValue::kFolder);
    table.add("dtype", member(&ImportOptions::dtype),
              "Number format of the weights on disk: keep, fp32, fp16 or bf16");
    table.add("link", member(&ImportOptions::link),
              "Do not copy the weights: use them where they lie, as long as they stay there");
    table.add("force", member(&ImportOptions::replace), "Replace a model of the same name");
    return table;
  }();
  return kTable;
}

/// A name becomes a folder, which `--model` finds and `list` shows.
void check_model_name(const std::string& name) {
  if (name.empty() || name.starts_with('.') || name.find('/') != name.npos) {
    throw SettingError("name",
                       "a name that is not empty, is no path (`models-dir` says where) and does "
                       "not begin with a dot",
                       name);
  }
  if (name.size() > kMaxNameBytes) {
    throw SettingError("name", "at most " + std::to_string(kMaxNameBytes) + " bytes", name);
  }
  if (!is_plain_text(name)) {
    throw UsageError("`name`: expected UTF-8 without control characters, found " + in_quotes(name));
  }
}

/// Where sdx-generate looks for embeddings when nothing is said.
constexpr const char* kEmbeddings = "embeddings";

/// Writes the words that a pipeline has learnt as embeddings of its model, never over a file.
/// @return the files that were written
std::vector<std::string> write_learnt(const ImportReport& report, const Bundle& bundle) {
  std::vector<std::string> files;
  if (report.learnt.empty()) return files;
  prepare_output_folder(kEmbeddings);
  for (const auto& [name, vectors] : report.learnt) {
    const Embedding embedding{
        name,
        EmbeddingVectors(vectors),
        {{"sdx.model", report.info.name}, {"sdx.model_hash", bundle.short_hash()}},
        {}};
    const fs::path file =
        join_inside(kEmbeddings, name + std::string(find_extension(EmbeddingDialect::kDiffusers)),
                    "the embedding");
    // Written and proved beside its place first: another process may put a file there meanwhile.
    const fs::path draft =
        fs::path(kEmbeddings) / ("." + std::to_string(::getpid()) + ".safetensors");
    write_embedding(draft, embedding);
    const std::string bytes = read_file(draft);
    fs::remove(draft);
    if (create_file_atomically(file, bytes)) {
      files.push_back(file.string());
      say("Wrote " + file.string() + ": " + placeholder(name) +
          ", which this model had learnt; it is not part of the model");
    } else {
      say(file.string() + " is there already and stays as it is, so " + placeholder(name) +
          ", which this model had learnt, was not written; import again in another folder to get "
          "it");
    }
  }
  return files;
}

void import_model(const ImportArguments& arguments) {
  const ImportOptions& options = arguments.options;
  const CommonOptions& common = arguments.common;
  check_model_name(options.name);
  const fs::path destination =
      join_inside(choose_models_folder(arguments.folder), options.name, "`name`");
  constexpr std::uint64_t kBytesPerTick = 1'000'000;
  std::unique_ptr<ProgressBar> bar;
  const auto observe = [&](std::uint64_t done, std::uint64_t total) {
    if (!bar) {
      bar = std::make_unique<ProgressBar>("Importing, MB", static_cast<int>(total / kBytesPerTick),
                                          common.quiet);
    }
    bar->update(static_cast<int>(done / kBytesPerTick));
    if (const int signal = stop_signal(); signal != 0) {
      throw Error(static_cast<ExitCode>(128 + signal), "stopped; nothing was written");
    }
  };
  const ImportReport report = import_checkpoint(arguments.source, destination, options, observe);
  bar.reset();
  for (const std::string& remark : report.remarks) say(remark);
  if (!report.unused.empty()) {
    constexpr std::size_t kShown = 3;
    const std::size_t shown = std::min(kShown, report.unused.size());
    const std::vector<std::string> first(
        report.unused.begin(), report.unused.begin() + static_cast<std::ptrdiff_t>(shown));
    say(count_in_words(report.unused.size(), "tensor is", "tensors are") +
        " not used: " + join(first, ", ") + (shown < report.unused.size() ? ", …" : ""));
  }
  const BundleInfo& info = report.info;
  say("Imported " + info.name + " (" + std::string(to_string(info.family)) + ", " +
      std::to_string(info.native_size_px) + " px, " +
      std::string(to_string(info.noise_schedule.prediction_type)) + ", " + info.dtype +
      (options.link ? ", linked" : "") + ")");
  const std::vector<std::string> embeddings = write_learnt(report, Bundle::open(destination));
  say_json(common, {{"model", info.name},
                    {"folder", destination.string()},
                    {"remarks", report.remarks},
                    {"unused", report.unused},
                    {"embeddings", embeddings}});
  if (!common.json) std::puts(destination.c_str());
}

}  // namespace

std::function<void()> define_import(CommandLine& line) {
  auto arguments = std::make_shared<ImportArguments>();
  line.add(import_settings(), *arguments);
  add_message_options(line, arguments->common);
  return [arguments] { import_model(*arguments); };
}

}  // namespace sdx
