#include <filesystem>
#include <memory>
#include <utility>

#include "cli/train/train_reporter.h"
#include "sdx/cli/tool.h"
#include "sdx/training/training_options.h"
#include "sdx/training/training_run.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/name.h"
#include "sdx/util/stop.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

void check_nothing_is_overwritten(const TrainingOptions& options, const RunFolder& run,
                                  const fs::path& embedding_file) {
  if (options.force || !options.resume.empty()) return;
  if (fs::exists(embedding_file)) {
    throw CannotCreateError(embedding_file.string() + " exists already; --force replaces it");
  }
  if (const auto steps = run.steps_done()) {
    throw CannotCreateError(run.path().string() + " holds a training of " + std::to_string(*steps) +
                            " steps; --resume " + run.path().string() +
                            " resumes it, --force starts anew");
  }
}

ResumePolicy resume_policy(const TrainingOptions& options) {
  if (options.resume.empty()) return ResumePolicy::kStartAnew;
  return options.resume_anyway ? ResumePolicy::kAnyway : ResumePolicy::kOnlySame;
}

/// What to do about an end that is none.
void throw_if_unfinished(StopReason reason, const TrainingOptions& options, int steps,
                         const fs::path& run, const fs::path& embedding_file) {
  if (reason == StopReason::kRequested) {
    throw Error(static_cast<ExitCode>(128 + stop_signal()),
                "stopped after " + std::to_string(steps) + " steps; " + embedding_file.string() +
                    " holds them and works. sdx-train --resume " + run.string() + " resumes it");
  }
  if (reason == StopReason::kNotFinite) {
    throw DataError("the loss was not finite in " + std::to_string(kMostSkippedSteps) +
                    " steps in a row, or a preview was not; lower --lr, which is " +
                    options.inversion.learning_rate.text() + ". " + embedding_file.string() +
                    " holds the last good word");
  }
}

std::string next_command(const TrainingOptions& options) {
  const std::string elsewhere =
      options.embeddings == "embeddings" ? "" : " --embeddings " + options.embeddings;
  const std::string word = placeholder(options.inversion.name);
  const std::string prompt = options.subject.kind == SubjectKind::kStyle
                                 ? "a portrait of a man in the style of " + word
                                 : word + " as an astronaut";
  return "sdx-generate \"" + prompt + "\"" + elsewhere;
}

/// What makes the rest of a training other than its beginning, or impossible, and is easily put
/// right on the command line.
void check_resumed(const TrainingOptions& options, const CommonOptions& common) {
  if (!fs::exists(options.portraits)) {
    throw MissingInputError(options.portraits + ": no such folder of portraits in " +
                            fs::current_path().string() + ", where `resume` " + options.resume +
                            " looks for it; if they are elsewhere now: sdx-train FOLDER --resume " +
                            options.resume);
  }
  const Json before = read_json_file(fs::path(options.resume) / "config.json");
  const auto threads = before.find("threads");
  if (threads == before.end() || *threads == common.threads) return;
  say("Note: `threads` is " + std::to_string(common.threads) + " and was " + threads->dump() +
      "; sums are taken in another order, so the embedding differs in its last bits");
}

/// Says what is allowed and hardly ever meant.
void remark_on_settings(const TrainingOptions& options) {
  constexpr double kHighRate = 1;  // a vector of CLIP's has entries of about 0.01
  const LearningRate& rate = options.inversion.learning_rate;
  if (rate.at(1, options.inversion.steps) < kHighRate) return;
  say("Note: `lr` " + rate.text() +
      " is far above the usual 0.0005 to 0.05; the embedding may come out as noise");
}

void run_training(const TrainingOptions& options, const CommonOptions& common) {
  if (options.portraits.empty()) {
    throw UsageError("expected a folder of pictures; see sdx-train --help");
  }
  if (!options.resume.empty()) check_resumed(options, common);
  remark_on_settings(options);
  const TrainingSpec spec = make_spec(options, common);
  const std::string& name = options.inversion.name;

  const ComputeTarget target = compute_target(common);
  const Bundle bundle = open_model(common);
  const std::unique_ptr<Tokenizer> tokenizer = bundle.load_tokenizer();
  check_name(name, *tokenizer);
  const fs::path embedding_file = find_named_entry(options.embeddings, name + ".safetensors");
  RunFolder folder(
      options.resume.empty() ? find_named_entry(options.runs, name) : fs::path(options.resume),
      options.keep);
  check_nothing_is_overwritten(options, folder, embedding_file);
  prepare_output_folder(options.embeddings);

  const Identities identities =
      Identities::load_installed(bundle, target.device, options.subject.face_network);
  TrainReporter reporter(options, common, spec.trainer, folder.path());
  PreparedTraining prepared =
      prepare_training(bundle, target, identities, spec, folder, resume_policy(options), reporter);
  const TextEncoders text_encoders(bundle, target.device);
  const UNet unet(bundle, target);
  TrainedEmbedding trained = train(std::move(prepared), {bundle, *tokenizer, text_encoders, unet});
  const TrainingSummary summary = trained.save(embedding_file, version_text());
  reporter.finish(summary, folder.path() / "report.html");
  throw_if_unfinished(summary.reason, options, summary.steps, folder.path(), embedding_file);
  say("Next: " + next_command(options));
}

/// What the run that is to be resumed was told.
void read_run_settings(const CommandLine& line, const std::string& folder) {
  const fs::path config = fs::path(folder) / "config.json";
  if (!fs::exists(config)) {
    throw MissingInputError("--resume " + folder + ": no training there (" + config.string() +
                            " is missing); expected a folder like runs/<Name>");
  }
  line.settings().read_json(read_json_file(config), config.string());
}

}  // namespace

std::function<void()> define_train(CommandLine& line) {
  struct Asked {
    TrainingOptions training = default_training();
    CommonOptions common;
  };
  auto asked = std::make_shared<Asked>();
  line.add(training_settings(), asked->training);
  add_common_options(line, asked->common);
  // Precedence: preset < the run that is resumed < --config < typed.
  line.before_values([asked, &line] {
    if (const auto preset = line.given("preset")) apply_preset(*preset, asked->training);
    if (const auto run = line.given("resume")) read_run_settings(line, *run);
  });
  return [asked] { run_training(asked->training, asked->common); };
}

}  // namespace sdx
