#include <cstdio>
#include <filesystem>

#include "sdx/cli/options.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/model/import/import.h"
#include "sdx/model/inspect.h"
#include "sdx/util/error.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

fs::path models_folder(const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  if (const char* folder = std::getenv("SDX_MODELS")) return folder;
  if (const char* home = std::getenv("HOME")) return fs::path(home) / ".local/share/sdx/models";
  throw UsageError("no home folder; --models-dir DIR says where models are kept");
}

std::string with_unit(double value, const std::array<const char*, 4>& units, double base) {
  std::size_t unit = 0;
  while (value >= base && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
  return text;
}

std::string bytes_text(std::uint64_t bytes) {
  return with_unit(static_cast<double>(bytes), {" B", " kB", " MB", " GB"}, 1000);
}

std::string count_text(std::int64_t count) {
  return with_unit(static_cast<double>(count), {"", " k", " M", " G"}, 1000);
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

void import_action(int argc, char** argv) {
  ImportOptions options;
  CommonOptions common;
  std::string source;
  std::string folder;
  OptionTable table(
      "sdx-model import",
      "Turn a Stable Diffusion 1 or 2 checkpoint into a model that the tools can use.",
      "  sdx-model import v1-5-pruned-emaonly.safetensors --name sd15\n"
      "  sdx-model import ~/models/my-diffusers-folder --name mine --dtype fp16\n");
  table
      .add("Input", "checkpoint", source,
           "A .safetensors or .ckpt file, or a folder in diffusers' layout")
      ->required();
  table.add("Input", "--variant", options.variant,
            "Of a folder's files, e.g. fp16; default: those without one, else the only one");
  table.add_parsed(
      "Input", "--prediction", "auto",
      [&](const std::string& text) { options.prediction = parse_prediction_choice(text); },
      "What the UNet predicts: epsilon or v_prediction; auto: what the checkpoint says");
  table.add("Output", "--name", options.name, "What the model will be called")->required();
  table.add("Output", "--models-dir", folder,
            "Where models are kept; default $SDX_MODELS, else ~/.local/share/sdx/models");
  table.add_parsed(
      "Output", "--dtype", "keep",
      [&](const std::string& text) { options.dtype = parse_weights_dtype(text); },
      "Type of the weights: keep, fp32, fp16 or bf16");
  table.add_flag("Output", "--link", options.link,
                 "Do not copy the weights: use them where they lie, as long as they stay there");
  table.add_flag("Output", "--force", options.replace, "Replace a model of the same name");
  add_message_options(table, common);
  table.parse(argc, argv);

  if (options.name.find('/') != std::string::npos || options.name.starts_with('.')) {
    throw UsageError("--name " + options.name +
                     ": expected a name, found a path; --models-dir DIR says where");
  }
  const fs::path destination = models_folder(folder) / options.name;
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
  const ImportReport report = import_checkpoint(source, destination, options, observe);
  bar.reset();
  for (const std::string& remark : report.remarks) say(remark);
  if (!report.unused.empty()) {
    constexpr std::size_t kShown = 3;
    const std::size_t shown = std::min(kShown, report.unused.size());
    const std::vector<std::string> first(
        report.unused.begin(), report.unused.begin() + static_cast<std::ptrdiff_t>(shown));
    say(std::to_string(report.unused.size()) + " tensors are not used: " + join(first, ", ") +
        (shown < report.unused.size() ? ", …" : ""));
  }
  const BundleInfo& info = report.info;
  say("Imported " + info.name + " (" + std::string(to_string(info.family)) + ", " +
      std::to_string(info.native_size_px) + " px, " +
      std::string(to_string(info.noise_schedule.prediction_type)) + ", " + info.dtype +
      (options.link ? ", linked" : "") + ")");
  say_json(common, {{"model", info.name},
                    {"folder", destination.string()},
                    {"remarks", report.remarks},
                    {"unused", report.unused}});
  if (!common.json) std::puts(destination.c_str());
}

// --------------------------------------------------------------------------- list, show, verify

void list_action(int argc, char** argv) {
  CommonOptions common;
  OptionTable table("sdx-model list", "The models that --model finds by name.",
                    "  sdx-model list\n");
  add_message_options(table, common);
  table.parse(argc, argv);
  for (const fs::path& folder : Bundle::installed()) {
    const std::string name = folder.filename().string();
    try {
      const Bundle bundle = Bundle::open(folder);
      const BundleInfo& info = bundle.info();
      std::uint64_t bytes = 0;
      for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) bytes += entry.file_size();
      }
      say_json(common, {{"model", name},
                        {"family", to_string(info.family)},
                        {"native_size_px", info.native_size_px},
                        {"dtype", info.dtype},
                        {"bytes", bytes},
                        {"folder", folder.string()}});
      if (common.json) continue;
      const std::string line =
          padded(name, 20) + "  " + padded(std::string(to_string(info.family)), 4) +
          padded(std::to_string(info.native_size_px) + " px", 9) + padded(info.dtype, 6) +
          padded(bytes_text(bytes), 10) + folder.string();
      std::puts(line.c_str());
    } catch (const Error& error) {
      say(name + ": " + error.what());
    }
  }
}

void show_action(int argc, char** argv) {
  CommonOptions common;
  std::string model;
  OptionTable table("sdx-model show", "What a model is.", "  sdx-model show mini\n");
  table.add("Input", "model", model, "Name or folder of a model")->required();
  add_message_options(table, common);
  table.parse(argc, argv);

  const Bundle bundle = Bundle::find(model);
  const BundleInfo& info = bundle.info();
  const NoiseScheduleConfig& noise = info.noise_schedule;
  const std::vector<PartSummary> parts = summarise_parts(bundle);
  Json json = {{"model", info.name},
               {"folder", bundle.folder().string()},
               {"family", to_string(info.family)},
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
  say_json(common, json);
  if (common.json) return;

  const auto line = [](const std::string& key, const std::string& value) {
    std::puts((padded(key, 14) + value).c_str());
  };
  line("name", info.name);
  line("folder", bundle.folder().string());
  line("family",
       info.family == ModelFamily::kSd1 ? "sd1 (Stable Diffusion 1)" : "sd2 (Stable Diffusion 2)");
  line("pictures", std::to_string(info.native_size_px) + " px, latents 1/" +
                       std::to_string(info.vae_factor) + " with " +
                       std::to_string(info.latent_channels) + " channels");
  line("predicts", std::string(to_string(noise.prediction_type)) + ", " +
                       std::to_string(noise.train_timesteps) + " timesteps, " +
                       std::string(to_string(noise.beta_schedule)) + " betas");
  line("text", "width " + std::to_string(info.context_width()) + ", " +
                   std::to_string(info.text_layers()) + " layers");
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
}

void verify_action(int argc, char** argv) {
  CommonOptions common;
  std::string model;
  OptionTable table("sdx-model verify", "Whether a model is what was imported, byte for byte.",
                    "  sdx-model verify mini\n");
  table.add("Input", "model", model, "Name or folder of a model")->required();
  add_message_options(table, common);
  table.parse(argc, argv);

  const Bundle bundle = Bundle::find(model);
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

}  // namespace

std::span<const Command> model_parts() {
  static constexpr Command kParts[] = {{"import", import_action},
                                       {"list", list_action},
                                       {"show", show_action},
                                       {"verify", verify_action},
                                       {"embedding", embedding_command, embedding_parts}};
  return kParts;
}

void model_command(int argc, char** argv) {
  if (run_part(model_parts(), argc, argv)) return;
  std::string action;
  OptionTable table("sdx-model", "Bring models in, and see what is there.",
                    "  sdx-model import v1-5-pruned-emaonly.safetensors --name sd15\n"
                    "  sdx-model list\n"
                    "  sdx-model show sd15\n"
                    "  sdx-model verify sd15\n"
                    "  sdx-model embedding show embeddings/Ada.pt\n");
  table
      .add("Input", "action", action,
           "import, list, show, verify or embedding; each has a --help of its own")
      ->required();
  table.parse(std::min(argc, 2), argv);
  throw UsageError("expected import, list, show, verify or embedding, found \"" + action + "\"");
}

}  // namespace sdx
