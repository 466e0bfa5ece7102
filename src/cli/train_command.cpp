#include <sys/resource.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include "cli/run_folder.h"
#include "sdx/cli/options.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/dataset/portraits.h"
#include "sdx/dataset/templates.h"
#include "sdx/image/contact_sheet.h"
#include "sdx/image/convert.h"
#include "sdx/image/png.h"
#include "sdx/model/identity_network.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/training/trainer.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

struct TrainOptions {
  std::string folder;
  InversionOptions inversion;
  TrainerOptions trainer;
  std::string preset = "balanced";
  int exact_steps = 0;  ///< 0: until it is done
  std::string stop = "auto";
  KeepPolicy keep = KeepPolicy::kBest;
  std::string embeddings = "embeddings";
  std::string runs = "runs";
  bool force = false;
  std::string resume;
  bool resume_anyway = false;
  std::string trace_file;
  int trace_steps = 1;
};

std::string fixed_text(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double peak_memory_gb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e9;
}

void show_portraits(const std::vector<Portrait>& portraits, const CommonOptions& common) {
  for (const Portrait& portrait : portraits) {
    std::string line = "  " + portrait.file.filename().string();
    line.resize(std::max<std::size_t>(line.size(), 30), ' ');
    if (portrait.width_px > 0) {
      line += "  " + std::to_string(portrait.width_px) + "x" + std::to_string(portrait.height_px);
    }
    if (portrait.exif_orientation != 1) line += ", turned upright";
    if (portrait.used() && portrait.crop != Crop::kNone) {
      line += ", cropped to " + std::to_string(portrait.area.width_px) + " px around the " +
              std::string(to_string(portrait.crop));
    }
    line += portrait.used() ? "  used" : "  skipped: " + portrait.problem;
    say(common, line);
    say_json(common, {{"file", portrait.file.filename().string()},
                      {"used", portrait.used()},
                      {"problem", portrait.problem},
                      {"width_px", portrait.width_px},
                      {"height_px", portrait.height_px},
                      {"crop", to_string(portrait.crop)}});
  }
}

LatentDistribution encode_portraits(const std::vector<Portrait>& portraits, const Bundle& bundle,
                                    const ComputeTarget& target) {
  const at::NoGradGuard no_grad;
  const VaeEncoder encoder(bundle, target);
  std::vector<at::Tensor> means;
  std::vector<at::Tensor> deviations;
  for (const Portrait& portrait : portraits) {
    if (!portrait.used()) continue;
    const LatentDistribution latents = encoder.encode(to_tensor(portrait.image));
    means.push_back(latents.mean.cpu());
    deviations.push_back(latents.deviation.cpu());
  }
  return {at::cat(means), at::cat(deviations)};
}

void write_crops(const std::vector<Portrait>& portraits, const fs::path& file) {
  std::vector<SheetCell> cells;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) cells.push_back({portrait.image, portrait.file.filename().string()});
  }
  write_png(file, contact_sheet(cells));
}

/// One tensor for each field of a trace, named "step.0.ids".
void add_trace(TensorMap& tensors, int step, const StepTrace& trace) {
  const std::string prefix = "step." + std::to_string(step) + ".";
  tensors[prefix + "ids"] = trace.ids;
  tensors[prefix + "splices"] = trace.splices;
  tensors[prefix + "vectors"] = trace.vectors;
  tensors[prefix + "latents"] = trace.latents;
  tensors[prefix + "noise"] = trace.noise;
  tensors[prefix + "noisy_latents"] = trace.noisy_latents;
  tensors[prefix + "timesteps"] = trace.timesteps;
  tensors[prefix + "loss"] = trace.loss;
  tensors[prefix + "gradient"] = trace.gradient;
}

/// The value of `--name VALUE` or `--name=VALUE`, before the options are parsed.
std::optional<std::string> peek_option(const std::vector<std::string>& arguments,
                                       const std::string& name) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with(name + "=")) return arguments[i].substr(name.size() + 1);
    if (arguments[i] == name && i + 1 < arguments.size()) return arguments[i + 1];
  }
  return std::nullopt;
}

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
  inversion.norm = parse_norm_policy(json_value<std::string>(preset, "norm", file));
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
            "The start: a text, 'auto' (the words that explain the pictures best) or 'cross' "
            "(cross initialization); default: what the model advises");
  table.add(group, "--vectors", inversion.vectors, "Positions of the prompt the word takes")
      ->check(CLI::PositiveNumber);
  table.add_parsed(
      group, "--lr", inversion.learning_rate.text(),
      [&](const std::string& text) { inversion.learning_rate = LearningRate::parse(text); },
      "Learning rate of Adam: 0.005, '0.005 cosine' or '0.05:10, 0.02:20, 0.005'");
  table.add(group, "--batch", inversion.batch_size, "Pictures that go through the UNet at once")
      ->check(CLI::PositiveNumber);
  table.add(group, "--accumulate", inversion.accumulate, "Batches in a step")
      ->check(CLI::PositiveNumber);
  table.add_parsed(
      group, "--norm", std::string(to_string(inversion.norm)),
      [&](const std::string& text) { inversion.norm = parse_norm_policy(text); },
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
      [&](const std::string& text) { options.keep = parse_keep_policy(text); },
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
  table.add_flag(group, "--resume-anyway", options.resume_anyway,
                 "Go on although options or pictures are others than before");
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

void parse_options(int argc, char** argv, OptionTable& table, TrainOptions& options) {
  const std::vector<std::string> arguments = arguments_of(argc, argv);
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  table.parse(static_cast<int>(pointers.size()), pointers.data());
  if (options.exact_steps > 0) options.inversion.steps = options.exact_steps;
  options.trainer.stop_when_settled = options.exact_steps == 0 && options.stop == "auto";
}

/// What the judge is made from, kept as long as it lives.
struct JudgeParts {
  std::unique_ptr<IdentityEncoder> identity;
  std::vector<std::string> prompts;
  std::unique_ptr<Judge> judge;
};

JudgeParts make_judge(const Inversion::Model& model, const ComputeTarget& target,
                      const std::vector<Portrait>& portraits, const CommonOptions& common) {
  JudgeParts parts;
  parts.identity = IdentityNetwork::of(model.bundle, target.device);
  parts.prompts = read_prompt_file(data_folder() / "templates" / "previews.txt");
  std::vector<Image> pictures;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) pictures.push_back(portrait.image);
  }
  JudgeOptions options;
  options.prompts = parts.prompts;
  parts.judge = std::make_unique<Judge>(model, target, parts.identity.get(), pictures, options);
  if (!parts.judge->knows_the_person()) {
    say(common,
        "Likeness cannot be told: no network here knows this face. The last word is kept, "
        "not the best.");
  }
  return parts;
}

/// Goes on from a checkpoint only if it is of the same training.
Checkpoint resume_from(RunFolder& run, const TrainingOrigin& origin, const TrainOptions& options,
                       const CommonOptions& common) {
  Checkpoint checkpoint =
      run.resume([&](const std::string& warning) { say(common, "Warning: " + warning); });
  const OriginDifference difference = compare(checkpoint.origin, origin);
  if (!difference.fatal.empty()) {
    throw DataError("--resume " + options.resume +
                    ": made for another training: " + join(difference.fatal, "; "));
  }
  if (!difference.other.empty() && !options.resume_anyway) {
    throw UsageError("--resume " + options.resume + ": not the same training any more: " +
                     join(difference.other, "; ") + ". --resume-anyway goes on nevertheless");
  }
  say(common, "Going on after step " + std::to_string(checkpoint.state.inversion.steps));
  return checkpoint;
}

/// Everything that training reports, to the terminal, to machines and to the run's folder.
class Reporter {
 public:
  Reporter(const Inversion& inversion, const TrainOptions& options, RunFolder& run,
           const TrainingOrigin& origin, const std::vector<std::string>& prompts,
           const CommonOptions& common)
      : inversion_(inversion),
        options_(options),
        run_(run),
        origin_(origin),
        prompts_(prompts),
        common_(common),
        bar_("Training " + placeholder(options.inversion.name), options.inversion.steps,
             common.quiet) {}

  TrainerEvents events() {
    TrainerEvents events;
    events.step = [this](const StepResult& result) { step(result); };
    events.measurement = [this](const Measurement& measurement) {
      metrics({{"step", measurement.step}, {"fixed_loss", measurement.loss}});
      figure_ = "loss " + fixed_text(measurement.loss, 4);
    };
    events.milestone = [this](const Milestone& one, const std::vector<Image>& pictures) {
      milestone(one, pictures);
    };
    events.rest = [this](const TrainingState& state) { run_.checkpoint(state, origin_); };
    events.stop_requested = [] { return stop_signal() != 0; };
    events.trace = [this](int step) { return trace(step); };
    return events;
  }

  void write_trace() {
    if (options_.trace_file.empty()) return;
    TensorMap tensors;
    for (std::size_t i = 0; i < traces_.size(); ++i) {
      add_trace(tensors, static_cast<int>(i), *traces_[i]);
    }
    write_safetensors(options_.trace_file, tensors, {{"sdx.version", version_text()}});
  }

  double seconds() const { return bar_.seconds(); }

 private:
  void step(const StepResult& result) {
    const int done = inversion_.state().steps;
    Json line = {{"step", done},
                 {"loss", result.loss},
                 {"gradient_norm", result.gradient_norm},
                 {"learning_rate", result.learning_rate},
                 {"vector_norm", result.vector_norm},
                 {"seconds", bar_.seconds()}};
    if (result.skipped) line["skipped"] = true;
    metrics(line);
    bar_.update(done, figure_ + likeness_);
  }

  void milestone(const Milestone& one, const std::vector<Image>& pictures) {
    const Verdict& verdict = one.verdict;
    metrics({{"step", one.step},
             {"likeness", verdict.likeness},
             {"obedience", verdict.obedience},
             {"score", verdict.score()}});
    likeness_ = "  likeness " + fixed_text(verdict.likeness, 2);
    run_.write_milestone(one, pictures, prompts_, inversion_.embedding());
  }

  void metrics(const Json& line) {
    run_.write_metrics(line);
    say_json(common_, line);
  }

  StepTrace* trace(int step) {
    if (options_.trace_file.empty() || step >= options_.trace_steps) return nullptr;
    traces_.push_back(std::make_unique<StepTrace>());
    return traces_.back().get();
  }

  const Inversion& inversion_;
  const TrainOptions& options_;
  RunFolder& run_;
  const TrainingOrigin& origin_;
  const std::vector<std::string>& prompts_;
  const CommonOptions& common_;
  ProgressBar bar_;
  std::string figure_;
  std::string likeness_;
  std::vector<std::unique_ptr<StepTrace>> traces_;
};

/// The likeness at the start and of the word that is kept, where it could be told.
std::optional<std::pair<double, double>> likeness_before_after(const TrainingState& state) {
  if (state.milestones.empty()) return std::nullopt;
  const auto best = std::find_if(state.milestones.begin(), state.milestones.end(),
                                 [&](const Milestone& one) { return one.step == state.best_step; });
  if (best == state.milestones.end() || best->verdict.likeness == 0) return std::nullopt;
  return std::pair(state.milestones.front().verdict.likeness, best->verdict.likeness);
}

/// What is said at the end, and the same as summary.json.
void summarize(const TrainingState& state, StopReason reason, const TrainOptions& options,
               const fs::path& embedding_file, RunFolder& run, double seconds,
               const CommonOptions& common) {
  const int steps = state.inversion.steps;
  const double loss_before = state.curve.empty() ? 0 : state.curve.front().loss;
  const double loss_after = state.curve.empty() ? 0 : state.curve.back().loss;
  Json summary = {{"name", options.inversion.name},
                  {"embedding", embedding_file.string()},
                  {"steps", steps},
                  {"stopped_because", to_string(reason)},
                  {"best_step", state.best_step},
                  {"skipped_steps", state.skipped_steps},
                  {"seconds", seconds},
                  {"loss_before", loss_before},
                  {"loss_after", loss_after},
                  {"peak_memory_gb", peak_memory_gb()}};
  say(common, "Wrote " + embedding_file.string() + " (" +
                  std::to_string(options.inversion.vectors) + " vectors, " +
                  std::to_string(fs::file_size(embedding_file)) + " bytes), as it was after step " +
                  std::to_string(state.best_step));
  std::string line = std::to_string(steps) + " steps in " + fixed_text(seconds, 1) + " s (" +
                     std::string(to_string(reason)) + "); loss on the fixed batch " +
                     fixed_text(loss_before, 4) + " → " + fixed_text(loss_after, 4);
  if (const auto likeness = likeness_before_after(state)) {
    summary["likeness_before"] = likeness->first;
    summary["likeness_after"] = likeness->second;
    line +=
        "; likeness " + fixed_text(likeness->first, 2) + " → " + fixed_text(likeness->second, 2);
  }
  if (state.skipped_steps > 0) {
    line +=
        "; " + std::to_string(state.skipped_steps) + " steps skipped, their loss was not finite";
  }
  say(common, line + "; peak memory " + fixed_text(peak_memory_gb(), 2) + " GB");
  say_json(common, summary);
  write_file_atomically(run.path() / "summary.json", summary.dump(2) + "\n");
}

void check_nothing_is_overwritten(const TrainOptions& options, const RunFolder& run,
                                  const fs::path& embedding_file) {
  if (options.force || !options.resume.empty()) return;
  if (fs::exists(embedding_file)) {
    throw CannotCreateError(embedding_file.string() + " exists already; --force replaces it");
  }
  if (const auto steps = run.steps_done()) {
    throw CannotCreateError(run.path().string() + " holds a training of " + std::to_string(*steps) +
                            " steps; --resume " + run.path().string() +
                            " goes on with it, --force starts anew");
  }
}

}  // namespace

void train_command(int argc, char** argv) {
  TrainOptions options;
  CommonOptions common;
  InversionOptions& inversion = options.inversion;
  apply_preset(peek_option({argv + 1, argv + argc}, "--preset").value_or(options.preset), options);
  OptionTable table(
      "sdx-train", "Teach the model a new word, <Name>, from a folder of at least three portraits.",
      "  sdx-train portraits/johannes --name Johannes\n"
      "  sdx-train portraits/johannes --name Johannes --init \"a man with glasses\" --vectors 4\n"
      "  sdx-train --resume runs/Johannes\n");
  table.add("Input", "folder", options.folder, "Folder with portraits (JPEG, PNG, WebP)");
  table.add("Input", "--name", inversion.name, "The new word, without brackets");
  add_training_options(table, options);
  add_end_options(table, options);
  add_output_options(table, options);
  add_common_options(table, common);
  parse_options(argc, argv, table, options);
  if (options.folder.empty())
    throw UsageError("expected a folder of portraits; see sdx-train --help");
  if (inversion.name.empty()) throw UsageError("--name is missing; see sdx-train --help");

  set_compute_threads(common.threads);
  const ComputeTarget target = choose_target(common.device);
  const Bundle bundle = open_model(common);
  const std::unique_ptr<Tokenizer> tokenizer = bundle.load_tokenizer();
  check_name(inversion.name, *tokenizer);
  const fs::path embedding_file = fs::path(options.embeddings) / (inversion.name + ".safetensors");
  RunFolder run(
      options.resume.empty() ? fs::path(options.runs) / inversion.name : fs::path(options.resume),
      options.keep);
  check_nothing_is_overwritten(options, run, embedding_file);
  prepare_output_folder(options.embeddings);

  const std::optional<FaceFinder> faces = FaceFinder::installed();
  const std::vector<Portrait> portraits =
      load_portraits(options.folder, bundle.info().native_size_px, faces ? &*faces : nullptr);
  show_portraits(portraits, common);
  check_enough_portraits(options.folder, portraits);

  const PortraitLatents latents = {encode_portraits(portraits, bundle, target), {}};
  const TextEncoder text_encoder(bundle, target.device);
  const UNet unet(bundle, target);
  const Inversion::Model model = {bundle, *tokenizer, text_encoder, unet};
  const TrainingOrigin origin = {table.effective(), bundle.short_hash(), hash_of(latents)};
  TrainingState state;
  std::optional<InversionState> resumed;
  if (options.resume.empty()) {
    run.clear();
    write_file_atomically(run.path() / "config.json", origin.options.dump(2) + "\n");
  } else {
    state = resume_from(run, origin, options, common).state;
    resumed = state.inversion;
  }
  write_crops(portraits, run.path() / "portraits.png");

  Inversion trainer(model, latents, person_templates(), inversion, resumed);
  const JudgeParts judge = make_judge(model, target, portraits, common);
  Reporter reporter(trainer, options, run, origin, judge.prompts, common);
  const StopReason reason =
      train(trainer, judge.judge.get(), options.trainer, state, reporter.events());
  run.checkpoint(state, origin, /*now=*/true);
  reporter.write_trace();
  Embedding embedding = best_embedding(trainer, state);
  embedding.metadata["sdx.version"] = version_text();
  write_embedding(embedding_file, embedding);
  summarize(state, reason, options, embedding_file, run, reporter.seconds(), common);

  if (reason == StopReason::kRequested) {
    throw Error(static_cast<ExitCode>(128 + stop_signal()),
                "stopped after " + std::to_string(state.inversion.steps) + " steps; " +
                    embedding_file.string() + " holds them and works. sdx-train --resume " +
                    run.path().string() + " goes on");
  }
  if (reason == StopReason::kNotFinite) {
    throw InternalError("the loss was not finite in " + std::to_string(kMostSkippedSteps) +
                        " steps in a row; a smaller --lr than " + inversion.learning_rate.text() +
                        " may help. " + embedding_file.string() + " holds the last good word");
  }
  const std::string elsewhere =
      options.embeddings == "embeddings" ? "" : " --embeddings " + options.embeddings;
  say(common,
      "Next: sdx-generate \"" + placeholder(inversion.name) + " as an astronaut\"" + elsewhere);
}

}  // namespace sdx
