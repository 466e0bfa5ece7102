#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/model/import_command.h"
#include "sdx/cli/tool.h"
#include "sdx/model/inspect.h"
#include "sdx/model/model_folders.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

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
