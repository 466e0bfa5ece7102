#include "cli/train_options.h"

#include <charconv>
#include <filesystem>
#include <optional>

#include "cli/portrait_table.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// A preset's values become the defaults of the options that it names.
void apply_preset(const std::string& name, TrainOptions& options) {
  const fs::path file = data_folder() / "presets" / (name + ".json");
  if (!fs::exists(file)) {
    throw UsageError("--preset: expected fast, balanced or best, found \"" + name + "\"");
  }
  const Json preset = read_json_file(file);
  options.preset = name;
  InversionOptions& inversion = options.inversion;
  inversion.vectors = json_value<int>(preset, "vectors", file);
  inversion.learning_rate = LearningRate::parse(json_value<std::string>(preset, "lr", file));
  inversion.batch_size = json_value<int>(preset, "batch", file);
  inversion.steps = json_value<int>(preset, "max-steps", file);
  inversion.norm = json_enum<NormPolicy>(preset, "norm", file);
  inversion.min_snr = json_value<double>(preset, "min-snr", file);
  options.trainer.min_steps = json_value<int>(preset, "min-steps", file);
  options.trainer.patience = json_value<int>(preset, "patience", file);
  options.trainer.milestone_steps = json_value<int>(preset, "milestone-steps", file);
}

void parse_timesteps(const std::string& text, InversionOptions& options) {
  const auto fail = [&] {
    throw UsageError("--timesteps: expected MIN:MAX, for example 0:999, found \"" + text + "\"");
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) fail();
  const auto number = [&](std::string_view part, int& value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size()) fail();
  };
  number(std::string_view(text).substr(0, colon), options.first_timestep);
  number(std::string_view(text).substr(colon + 1), options.last_timestep);
}

void add_training_options(OptionTable& table, TrainOptions& options) {
  InversionOptions& inversion = options.inversion;
  const char* const group = "Training";
  table
      .add(group, "--preset", options.preset,
           "Where the defaults below are from: fast, balanced, best")
      ->configurable(false);
  table.add(group, "--init", inversion.init,
            "Start: a text, 'auto' (words that explain the pictures best), 'cross' (a mean name); "
            "default: as the model advises");
  table.add(group, "--vectors", inversion.vectors, "Positions of the prompt the word takes")
      ->check(CLI::PositiveNumber);
  table.add_parsed(
      group, "--lr", inversion.learning_rate.text(),
      [&](const std::string& text) { inversion.learning_rate = LearningRate::parse(text); },
      "Learning rate of Adam: 0.01, '0.01 cosine' or '0.05:10, 0.02:20, 0.005'");
  table.add(group, "--batch", inversion.batch_size, "Pictures that go through the UNet at once")
      ->check(CLI::PositiveNumber);
  table.add(group, "--accumulate", inversion.accumulate, "Batches in a step")
      ->check(CLI::PositiveNumber);
  table.add_parsed(
      group, "--norm", std::string(to_string(inversion.norm)),
      [&](const std::string& text) { inversion.norm = parse_enum<NormPolicy>(text, "norm"); },
      "Length of the vectors: free, vocab (as the vocabulary's), init (as at the start)");
  table
      .add(group, "--min-snr", inversion.min_snr,
           "Gamma of the min-SNR weighting of timesteps; 0: all alike")
      ->check(CLI::NonNegativeNumber);
  table
      .add(group, "--offset-noise", inversion.offset_noise,
           "Noise that a whole channel shares, as a share of the noise; 0: none")
      ->check(CLI::NonNegativeNumber);
  table.add_parsed(
      group, "--timesteps",
      std::to_string(inversion.first_timestep) + ":" + std::to_string(inversion.last_timestep),
      [&](const std::string& text) { parse_timesteps(text, inversion); },
      "Least and most noise that is trained on, MIN:MAX");
  table.add_parsed(
      group, "--memory", std::string(to_string(options.memory)),
      [&](const std::string& text) { options.memory = parse_enum<MemoryChoice>(text, "memory"); },
      "auto, normal, or low: compute the UNet a second time instead of keeping it");
  table.add(group, "--seed", inversion.seed, "Of everything random");
}

void add_end_options(OptionTable& table, TrainOptions& options) {
  const char* const group = "End and choice";
  table
      .add(group, "--stop", options.stop,
           "auto: when the loss on the fixed batch has settled; never: at --max-steps")
      ->check(CLI::IsMember({"auto", "never"}));
  table.add(group, "--steps", options.exact_steps, "Exactly so many steps; 0: as --stop says")
      ->check(CLI::NonNegativeNumber);
  table.add(group, "--min-steps", options.trainer.min_steps, "Never settled before")
      ->check(CLI::NonNegativeNumber);
  table.add(group, "--max-steps", options.inversion.steps, "Steps at most")
      ->check(CLI::PositiveNumber);
  table
      .add(group, "--patience", options.trainer.patience, "Steps over which the loss must be flat")
      ->check(CLI::PositiveNumber);
  table
      .add(group, "--milestone-steps", options.trainer.milestone_steps,
           "Steps between two looks at pictures of the word; 0: only at the end")
      ->check(CLI::NonNegativeNumber);
  table.add_parsed(
      group, "--keep", std::string(to_string(options.keep)),
      [&](const std::string& text) { options.keep = parse_enum<KeepPolicy>(text, "keep"); },
      "Embeddings that are kept: best, or all (of every milestone)");
}

void add_output_options(OptionTable& table, TrainOptions& options) {
  const char* const group = "Output";
  table.add(group, "--embeddings", options.embeddings, "Folder for <Name>'s file");
  table.add(group, "--runs", options.runs,
            "Folder for settings, measurements, previews, checkpoints");
  table.add_flag(group, "--force", options.force, "Replace an embedding or a run of the same name");
  table
      .add(group, "--resume", options.resume, "Go on with the training in this folder: runs/<Name>")
      ->configurable(false);
  table
      .add_flag(group, "--resume-anyway", options.resume_anyway,
                "Go on although options or pictures are others than before")
      ->configurable(false);
  table.add(
      group, "--trace", options.trace_file,
      "Write what the first steps computed to this file (safetensors), to replay them elsewhere");
  table.add(group, "--trace-steps", options.trace_steps, "How many steps --trace records")
      ->check(CLI::PositiveNumber);
}

/// The command line, with the configuration of the run that is to be resumed.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  const auto folder = peek_option(arguments, "--resume");
  if (!folder) return arguments;
  const fs::path config = fs::path(*folder) / "config.json";
  if (!fs::exists(config)) {
    throw MissingInputError("--resume " + *folder + ": no training there (" + config.string() +
                            " is missing); expected a folder like runs/<Name>");
  }
  arguments.insert(arguments.end(), {"--config", config.string()});
  return arguments;
}

}  // namespace

Json parse_train_options(int argc, char** argv, TrainOptions& options, CommonOptions& common) {
  const std::vector<std::string> arguments = arguments_of(argc, argv);
  apply_preset(peek_option(arguments, "--preset").value_or(options.preset), options);
  OptionTable table(
      "sdx-train", "Teach the model a new word, <Name>, from a folder of at least three pictures.",
      "  sdx-train portraits/johannes --name Johannes\n"
      "  sdx-train portraits/johannes --name Johannes --init \"a man with glasses\" --vectors 4\n"
      "  sdx-train styles/watercolour --name watercolour2 --kind style\n"
      "  sdx-train --resume runs/Johannes\n");
  table.add("Input", "folder", options.folder, "Folder with pictures (JPEG, PNG, WebP)");
  table.add("Input", "--name", options.inversion.name, "The new word, without brackets");
  add_portrait_options(table, options.subject);
  add_training_options(table, options);
  add_end_options(table, options);
  add_output_options(table, options);
  add_common_options(table, common);

  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  table.parse(static_cast<int>(pointers.size()), pointers.data());
  if (options.folder.empty()) {
    throw UsageError("expected a folder of pictures; see sdx-train --help");
  }
  if (options.inversion.name.empty()) throw UsageError("--name is missing; see sdx-train --help");
  if (options.exact_steps > 0) options.inversion.steps = options.exact_steps;
  options.trainer.stop_when_settled = options.exact_steps == 0 && options.stop == "auto";
  return table.effective();
}

TrainingSpec spec_of(const TrainOptions& options, const Json& settings) {
  TrainingSpec spec;
  spec.portraits = options.folder;
  spec.subject = options.subject;
  spec.templates = load_templates(options.subject);
  spec.inversion = options.inversion;
  spec.trainer = options.trainer;
  spec.memory = options.memory;
  spec.settings = settings;
  return spec;
}

}  // namespace sdx
