#include "sdx/training/training_options.h"

#include <filesystem>

#include "sdx/image/format.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

using Table = SettingsTable<TrainingOptions>;
using Options = TrainingOptions;

template <typename Pointer>
auto inversion_member(Pointer pointer) {
  return nested(&Options::inversion, pointer);
}

template <typename Pointer>
auto trainer_member(Pointer pointer) {
  return nested(&Options::trainer, pointer);
}

void parse_timesteps(Options& options, const std::string& text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto first = settings_detail::read_number<int>(std::string_view(text).substr(0, colon));
  const auto last =
      colon == text.size()
          ? std::nullopt
          : settings_detail::read_number<int>(std::string_view(text).substr(colon + 1));
  if (!first || !last) throw SettingError("timesteps", "MIN:MAX, for example 0:999", text);
  options.inversion.first_timestep = *first;
  options.inversion.last_timestep = *last;
}

constexpr const char* kDetectorHelp =
    "YuNet's .onnx file; default: $SDX_FACE_DETECTOR, the model's, else a Haar cascade";
constexpr const char* kNetworkHelp =
    "Folder with dlib's face network, which tells people apart; default: $SDX_FACE_NETWORK";

void add_input(Table& table) {
  table.group("Input");
  table
      .add("folder", &Options::portraits,
           "Folder with pictures (" + describe_readable_formats() + ")")
      .names(SettingValue::kFolder)
      .positional()
      .common();
  table
      .add("name", inversion_member(&InversionOptions::name),
           "Name of the new embedding, without brackets")
      .common();
  table
      .add("kind", nested(&Options::subject, &SubjectOptions::kind),
           "What the embedding stands for: person, object or style")
      .common();
  table
      .add("templates", nested(&Options::subject, &SubjectOptions::templates_file),
           "File of sentences with {name} to learn from; default: those of the kind")
      .names(SettingValue::kFile);
  table
      .add_spelled(
          "crop",
          [](const Options& options) {
            return options.subject.crop ? std::string(to_string(*options.subject.crop)) : "auto";
          },
          [](Options& options, const std::string& text) {
            options.subject.crop =
                text == "auto" ? std::nullopt : std::optional(parse_enum<Crop>(text, "crop"));
          },
          "How pictures become square: face, center, none (mirrored edges); auto: face for a "
          "person")
      .may_be({"auto", "face", "center", "none"});
  table.add(
      "face", nested(&Options::subject, &SubjectOptions::portraits, &PortraitOptions::face),
      "Face to use if a picture shows several: largest, center, match (the recurring person)");
  table
      .add("size", nested(&Options::subject, &SubjectOptions::size_px),
           "Side of the squares to learn from and of previews, in pixels; 0: the model's own")
      .at_least(0);
  table.add("mirror", nested(&Options::subject, &SubjectOptions::latents, &LatentOptions::mirror),
            "Learn from each picture's mirror image as well");
  table
      .add_spelled(
          "mask",
          [](const Options& options) {
            return std::string(options.subject.latents.mask_face ? "face" : "none");
          },
          [](Options& options, const std::string& text) {
            if (text != "none" && text != "face") throw SettingError("mask", "none or face", text);
            options.subject.latents.mask_face = text == "face";
          },
          "face: learn little outside of face and hair; none: learn from the whole picture")
      .may_be({"face", "none"});
  table
      .add("face-detector", nested(&Options::subject, &SubjectOptions::face_detector),
           kDetectorHelp)
      .names(SettingValue::kFile);
  table.add("face-network", nested(&Options::subject, &SubjectOptions::face_network), kNetworkHelp)
      .names(SettingValue::kFolder);
  table.add("strict",
            nested(&Options::subject, &SubjectOptions::portraits, &PortraitOptions::strict),
            "Stop at a file that cannot be used, instead of skipping it");
}

void add_training(Table& table) {
  table.group("Training");
  table
      .add("preset", &Options::preset,
           "Set of defaults for the options below: fast, balanced, best")
      .of_one_call()
      .may_be(preset_names())
      .common();
  table
      .add("init", inversion_member(&InversionOptions::init),
           "Start from a text, 'auto' (words that explain the pictures best) or 'cross' (a mean "
           "name); default: the model's advice")
      .common();
  table
      .add("vectors", inversion_member(&InversionOptions::vectors),
           "Number of positions that the embedding takes in a prompt, 1 or more")
      .at_least(1)
      .common();
  table.add("train-encoders", inversion_member(&InversionOptions::train_encoders),
            "Text encoders whose vectors are learnt, of a model with two: both, 1 or 2");
  table.add_spelled(
      "lr", [](const Options& options) { return options.inversion.learning_rate.text(); },
      [](Options& options, const std::string& text) {
        options.inversion.learning_rate = LearningRate::parse(text);
      },
      "Learning rate of Adam: 0.01, '0.01 cosine' or '0.05:10, 0.02:20, 0.005'");
  table
      .add("batch", inversion_member(&InversionOptions::batch_size),
           "Pictures that go through the UNet at once")
      .at_least(1);
  table
      .add("accumulate", inversion_member(&InversionOptions::accumulate),
           "Number of batches in a step")
      .at_least(1);
  table.add("norm", inversion_member(&InversionOptions::norm),
            "Length of the vectors: free, vocab (as in the vocabulary), init (as at the start)");
  table
      .add("min-snr", inversion_member(&InversionOptions::min_snr),
           "Gamma of the min-SNR weighting of timesteps; 0: all alike")
      .at_least(0);
  table
      .add("offset-noise", inversion_member(&InversionOptions::offset_noise),
           "Noise that a whole channel shares, as a share of the noise; 0: none")
      .at_least(0);
  table.add_spelled(
      "timesteps",
      [](const Options& options) {
        return std::to_string(options.inversion.first_timestep) + ":" +
               std::to_string(options.inversion.last_timestep);
      },
      parse_timesteps, "Range of timesteps (noise) to train on, MIN:MAX");
  table.add("memory", &Options::memory,
            "auto, normal, or low: compute the UNet a second time instead of keeping it");
  table.add("seed", inversion_member(&InversionOptions::seed), "Random seed");
}

void add_end(Table& table) {
  table.group("End and choice");
  table.add(
      "stop", &Options::stop,
      "When to stop: auto (when the loss on the fixed batch has settled), never (at `max-steps`)");
  table.add("steps", &Options::exact_steps, "Train exactly this number of steps; 0: as `stop` says")
      .at_least(0)
      .common();
  table
      .add("min-steps", trainer_member(&TrainerOptions::min_steps),
           "Train at least this number of steps")
      .at_least(0);
  table
      .add("max-steps", inversion_member(&InversionOptions::steps),
           "Train at most this number of steps")
      .at_least(1);
  table
      .add("patience", trainer_member(&TrainerOptions::patience),
           "Steps over which the loss must be flat")
      .at_least(1);
  table
      .add("milestone-steps", trainer_member(&TrainerOptions::milestone_steps),
           "Number of steps between two milestones, with previews; 0: only at the end")
      .at_least(0);
  table
      .add("previews", trainer_member(&TrainerOptions::previews),
           "Number of previews at a milestone, which judge it; 0: none, keep the last vectors")
      .within(0, kMostPreviews);
  table.add("keep", &Options::keep, "Embeddings to keep: best, or all (one for every milestone)");
}

void add_output(Table& table) {
  table.group("Output");
  table.add("embeddings", &Options::embeddings, "Folder for the embedding's file")
      .names(SettingValue::kFolder)
      .common();
  table.add("runs", &Options::runs, "Folder for settings, measurements, previews and checkpoints")
      .names(SettingValue::kFolder);
  table.add("force", &Options::force, "Replace an embedding or a run of the same name").common();
  table.add("resume", &Options::resume, "Resume the training in this folder: runs/<Name>")
      .of_one_call()
      .names(SettingValue::kFolder)
      .common();
  table
      .add("resume-anyway", &Options::resume_anyway,
           "Resume even if options or pictures have changed")
      .of_one_call();
  table
      .add("trace", &Options::trace_file,
           "Write what the first steps computed to this file (safetensors), to replay them "
           "elsewhere")
      .names(SettingValue::kFile);
  table.add("trace-steps", &Options::trace_steps, "Number of steps that `trace` records")
      .at_least(1);
}

}  // namespace

const SettingsTable<TrainingOptions>& training_settings() {
  static const Table kTable = [] {
    Table table;
    add_input(table);
    add_training(table);
    add_end(table);
    add_output(table);
    return table;
  }();
  return kTable;
}

const SettingsTable<FaceOptions>& face_settings() {
  static const SettingsTable<FaceOptions> kTable = [] {
    SettingsTable<FaceOptions> table;
    table.group("Input");
    table.add("face-detector", &FaceOptions::detector, kDetectorHelp).names(SettingValue::kFile);
    table.add("face-network", &FaceOptions::network, kNetworkHelp).names(SettingValue::kFolder);
    return table;
  }();
  return kTable;
}

std::vector<std::string> preset_names() { return {"fast", "balanced", "best"}; }

void apply_preset(const std::string& name, TrainingOptions& options) {
  const fs::path file = data_folder() / "presets" / (name + ".json");
  const bool is_name = name.find('/') == std::string::npos && !name.empty();
  if (!is_name || !fs::exists(file)) {
    throw SettingError("preset", list_choices(preset_names()), name);
  }
  options.preset = name;
  Settings(training_settings(), options).read_json(read_json_file(file), file.string());
}

TrainingOptions default_training() {
  TrainingOptions options;
  apply_preset(options.preset, options);
  return options;
}

TrainingSpec make_spec(const TrainingOptions& options, const ModelOptions& model) {
  if (options.portraits.empty()) throw UsageError("expected a folder of pictures");
  if (options.inversion.name.empty()) throw UsageError("`name` is missing");
  TrainingSpec spec;
  spec.portraits = options.portraits;
  spec.subject = options.subject;
  spec.templates = load_templates(options.subject);
  spec.inversion = options.inversion;
  if (options.exact_steps > 0) spec.inversion.steps = options.exact_steps;
  spec.trainer = options.trainer;
  spec.trainer.stop_when_settled = options.exact_steps == 0 && options.stop == StopChoice::kAuto;
  spec.memory = options.memory;
  spec.model = model;
  TrainingOptions asked = options;
  ModelOptions asked_model = model;
  const Settings settings = Settings(training_settings(), asked).add(model_settings(), asked_model);
  spec.configuration = settings.to_json().dump(2);
  return spec;
}

}  // namespace sdx
