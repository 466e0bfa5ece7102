#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/output_folder.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/model/import/import.h"
#include "sdx/model/inspect.h"
#include "sdx/model/model_folders.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/name.h"
#include "sdx/util/remove.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
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

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

// ------------------------------------------------------------------------------------- import

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

// --------------------------------------------------------------------------- list, show, verify

struct ModelArguments {
  std::string model;
  CommonOptions common;
};

/// "sdxl", "sd1 inpainting".
std::string name_kind(const BundleInfo& info) {
  return std::string(to_string(info.family)) + (info.inpainting ? " inpainting" : "");
}

/// A line of the list.
struct ListedModel {
  fs::path folder;
  fs::path chosen = {};  ///< what the name means in its place; empty: this one
};

bool is_model(const fs::path& folder) {
  std::error_code unseen;
  return fs::is_regular_file(folder / "bundle.json", unseen);
}

/// All models of a name, in the order in which Bundle::find() looks: the first one is found.
std::vector<fs::path> list_models_called(const std::string& name) {
  std::vector<fs::path> places = {fs::absolute(name)};
  for (const fs::path& models : list_model_folders()) places.push_back(models / name);
  std::vector<fs::path> found;
  for (const fs::path& place : places) {
    const auto is_same = [&](const fs::path& other) {
      std::error_code unseen;
      return fs::equivalent(place, other, unseen);
    };
    if (is_model(place) && std::ranges::none_of(found, is_same)) found.push_back(place);
  }
  return found;
}

std::vector<ListedModel> list_all_models() {
  std::vector<ListedModel> models;
  for (const fs::path& folder : Bundle::installed()) {
    if (!is_model(folder)) {  // it may not be read, which opening it says
      models.push_back({folder});
      continue;
    }
    const std::vector<fs::path> called = list_models_called(folder.filename().string());
    for (const fs::path& one : called) {
      models.push_back({one, &one == &called.front() ? fs::path() : called.front()});
    }
  }
  return models;
}

void list_models(const CommonOptions& common) {
  for (const auto& [folder, chosen] : list_all_models()) {
    const std::string name = folder.filename().string();
    try {
      const Bundle bundle = Bundle::open(folder);
      const BundleInfo& info = bundle.info();
      std::uint64_t bytes = 0;
      for (const auto& entry : fs::recursive_directory_iterator(
               folder, fs::directory_options::skip_permission_denied)) {
        if (entry.is_regular_file()) bytes += entry.file_size();
      }
      Json json = {{"model", name},
                   {"family", to_string(info.family)},
                   {"inpainting", info.inpainting},
                   {"native_size_px", info.native_size_px},
                   {"dtype", info.dtype},
                   {"bytes", bytes},
                   {"folder", folder.string()}};
      if (!chosen.empty()) json["shadowed_by"] = chosen.string();
      say_json(common, json);
      if (common.json) continue;
      const std::string line =
          padded(name, 20) + "  " + padded(name_kind(info), 17) +
          padded(std::to_string(info.native_size_px) + " px", 9) + padded(info.dtype, 6) +
          padded(bytes_text(bytes), 10) + folder.string() +
          (chosen.empty() ? "" : "  (shadowed: the name means " + chosen.string() + ")");
      std::puts(line.c_str());
    } catch (const Error& error) {
      say(name + ": " + error.what());
    }
  }
}

std::string describe_family(ModelFamily family) {
  switch (family) {
    case ModelFamily::kSd1:
      return "Stable Diffusion 1";
    case ModelFamily::kSd2:
      return "Stable Diffusion 2";
    case ModelFamily::kSdxl:
      return "Stable Diffusion XL";
  }
  throw InternalError("a family of models without a name");
}

/// "scaled_linear betas, zero terminal SNR, trailing steps".
std::string describe_levels(const NoiseScheduleConfig& noise) {
  std::string text = std::string(to_string(noise.beta_schedule)) + " betas";
  if (noise.beta_schedule == BetaSchedule::kEdm) {
    text = "levels " + exact_number(noise.edm.lowest) + " to " + exact_number(noise.edm.highest);
  }
  if (noise.zero_terminal_snr) text += ", zero terminal SNR";
  if (noise.timestep_spacing)
    text += ", " + std::string(to_string(*noise.timestep_spacing)) + " steps";
  return text;
}

void show_model(const ModelArguments& arguments) {
  const CommonOptions& common = arguments.common;
  const Bundle bundle = Bundle::find(arguments.model);
  const BundleInfo& info = bundle.info();
  const NoiseScheduleConfig& noise = info.noise_schedule;
  const std::vector<PartSummary> parts = summarise_parts(bundle);
  Json json = {{"model", info.name},
               {"folder", bundle.folder().string()},
               {"family", to_string(info.family)},
               {"inpainting", info.inpainting},
               {"native_size_px", info.native_size_px},
               {"text_width", info.context_width()},
               {"text_layers", info.text_layers()},
               {"prediction_type", to_string(noise.prediction_type)},
               {"dtype", info.dtype},
               {"licence", info.licence},
               {"origin", info.origin},
               {"parts", Json::array()},
               {"sha256", info.sha256}};
  for (const PartSummary& part : parts) {
    json["parts"].push_back({{"part", part.name},
                             {"parameters", part.parameters},
                             {"bytes", part.bytes},
                             {"dtype", part.dtype},
                             {"linked", part.linked}});
  }
  if (!info.known_words.empty()) json["known_words"] = info.known_words;
  say_json(common, json);
  if (common.json) return;

  const auto line = [](const std::string& key, const std::string& value) {
    std::puts((padded(key, 14) + value).c_str());
  };
  line("name", info.name);
  line("folder", bundle.folder().string());
  line("family", std::string(to_string(info.family)) + " (" + describe_family(info.family) + ")");
  line("does", info.inpainting ? "pictures from text and in masked pictures"
                               : "pictures from text and pictures, embeddings");
  line("pictures", std::to_string(info.native_size_px) + " px, latents 1/" +
                       std::to_string(info.vae_factor) + " with " +
                       std::to_string(info.latent_channels) + " channels");
  line("predicts", std::string(to_string(noise.prediction_type)) + ", " +
                       std::to_string(noise.train_timesteps) + " timesteps, " +
                       describe_levels(noise));
  line("text", "width " + std::to_string(info.context_width()) + ", " +
                   std::to_string(info.text_layers()) + " layers");
  line("advises", "--cfg " + short_number(info.advice.guidance_scale) + ", --sampler " +
                      std::string(to_string(info.advice.sampler)) + ", --init " +
                      in_quotes(info.init_text));
  for (const PartSummary& part : parts) {
    line(part.name, part.parameters == 0 ? "weights inside of the program"
                                         : padded(count_text(part.parameters) + " parameters", 22) +
                                               padded(bytes_text(part.bytes), 11) + part.dtype +
                                               (part.linked ? ", linked" : ""));
  }
  line("licence", info.licence.empty() ? "unknown" : info.licence);
  line("origin", info.origin);
  line("hash", bundle.short_hash() + " (as pictures name it)");
  for (const auto& [file, hash] : info.sha256) line("sha256", hash + "  " + file);
  if (!info.known_words.empty()) line("words", join(info.known_words, " "));
}

void verify_model(const ModelArguments& arguments) {
  const CommonOptions& common = arguments.common;
  const Bundle bundle = Bundle::find(arguments.model);
  const std::vector<std::string> problems = find_damage(bundle);
  for (const std::string& problem : problems) {
    say_json(common, {{"problem", problem}});
    say(problem);
  }
  say_json(common, {{"model", bundle.info().name}, {"intact", problems.empty()}});
  if (!problems.empty()) {
    throw DataError(bundle.folder().string() + ": " + std::to_string(problems.size()) +
                    (problems.size() == 1 ? " problem" : " problems") + "; import the model again");
  }
  say(bundle.info().name + ": intact, " + std::to_string(bundle.info().sha256.size()) + " files");
}

std::function<void()> define_import(CommandLine& line) {
  auto arguments = std::make_shared<ImportArguments>();
  line.add(import_settings(), *arguments);
  add_message_options(line, arguments->common);
  return [arguments] { import_model(*arguments); };
}

std::function<void()> define_list(CommandLine& line) {
  auto common = std::make_shared<CommonOptions>();
  add_message_options(line, *common);
  return [common] { list_models(*common); };
}

template <void (*kAction)(const ModelArguments&)>
std::function<void()> define_for_model(CommandLine& line) {
  static const SettingsTable<ModelArguments> kTable = [] {
    SettingsTable<ModelArguments> table;
    table.group("Input");
    table.add("model", &ModelArguments::model, "Name or folder of a model")
        .names(SettingValue::kModel)
        .positional()
        .required();
    return table;
  }();
  auto arguments = std::make_shared<ModelArguments>();
  line.add(kTable, *arguments);
  add_message_options(line, arguments->common);
  return [arguments] { kAction(*arguments); };
}

}  // namespace

std::span<const Command> model_parts() {
  static constexpr Command kParts[] = {
      {"import",
       "Turn a Stable Diffusion 1, 2 or XL checkpoint into a model that the tools can use",
       "  sdx-model import v1-5-pruned-emaonly.safetensors --name sd15\n"
       "  sdx-model import ~/models/my-diffusers-folder --name mine --dtype fp16\n",
       define_import},
      {"list", "List the models that --model finds by name", "  sdx-model list\n", define_list},
      {"show", "Show what a model is", "  sdx-model show mini\n", define_for_model<show_model>},
      {"verify", "Check whether a model is what was imported, byte for byte",
       "  sdx-model verify mini\n", define_for_model<verify_model>},
      {"embedding", "Show or convert embedding files",
       "  sdx-model embedding show embeddings/Ada.pt\n"
       "  sdx-model embedding convert embeddings/Ada.safetensors --to a1111\n",
       nullptr, embedding_parts},
      {"lora", "Show what a LoRA file is", "  sdx-model lora show loras/style.safetensors\n",
       nullptr, lora_parts}};
  return kParts;
}

}  // namespace sdx
