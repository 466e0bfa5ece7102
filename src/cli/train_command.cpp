#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/portrait_table.h"
#include "cli/run_folder.h"
#include "cli/train_options.h"
#include "cli/train_reporter.h"
#include "sdx/cli/options.h"
#include "sdx/cli/tool.h"
#include "sdx/dataset/latents.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/image/contact_sheet.h"
#include "sdx/image/face_network.h"
#include "sdx/image/png.h"
#include "sdx/model/identity_network.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/training/memory_estimate.h"
#include "sdx/training/trainer.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/memory.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// The networks that tell people apart here, for photographs and for the model's own cartoons.
struct Identities {
  std::optional<FaceNetwork> photographs;
  std::unique_ptr<IdentityNetwork> own;

  /// Photographs' first, if it is there.
  std::vector<const IdentityEncoder*> all() const {
    std::vector<const IdentityEncoder*> encoders;
    if (photographs) encoders.push_back(&*photographs);
    if (own) encoders.push_back(own.get());
    return encoders;
  }
};

void write_crops(const std::vector<Portrait>& portraits, const fs::path& file) {
  std::vector<SheetCell> cells;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) cells.push_back({portrait.image, portrait.file.filename().string()});
  }
  write_png(file, contact_sheet(cells));
}

/// Through the first encoder that knows the person; through none if none does.
std::unique_ptr<Judge> make_judge(const Inversion::Model& model, const ComputeTarget& target,
                                  const Identities& identities, const TrainOptions& options,
                                  const std::vector<Portrait>& portraits,
                                  const std::vector<std::string>& prompts,
                                  const CommonOptions& common) {
  std::vector<Image> pictures;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) pictures.push_back(portrait.image);
  }
  JudgeOptions look;
  look.prompts = prompts;
  const IdentityEncoder* witness = nullptr;
  if (options.input.kind == SubjectKind::kPerson) {
    for (const IdentityEncoder* identity : identities.all()) {
      if (witness == nullptr && knows_the_person(*identity, pictures)) witness = identity;
    }
    if (witness == nullptr) {
      say(common,
          "Likeness cannot be told, no network here knows this face: the last word is kept, not "
          "the best");
    }
  }
  return std::make_unique<Judge>(model, target, witness, pictures, look);
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

std::string in_gb(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

/// Says what a step will take, and takes the way that fits.
GradientMemory choose_memory(const TextEncoder& text_encoder, const UNet& unet,
                             const TrainOptions& options, const PortraitLatents& latents,
                             const CommonOptions& common) {
  const at::Tensor& mean = latents.distribution.mean;
  StepShape shape;
  shape.batch_size = options.inversion.batch_size;
  shape.without_gradient = fixed_batch_rows(options.inversion);
  shape.latent_height = static_cast<int>(mean.size(2));
  shape.latent_width = static_cast<int>(mean.size(3));
  const std::int64_t available = available_memory_bytes();
  GradientMemory memory =
      options.memory == MemoryChoice::kLow ? GradientMemory::kLow : GradientMemory::kNormal;
  MemoryEstimate estimate = estimate_memory(text_encoder, unet, shape, memory);
  if (options.memory == MemoryChoice::kAuto && estimate.step_bytes > available) {
    memory = GradientMemory::kLow;
    estimate = estimate_memory(text_encoder, unet, shape, memory);
  }
  say(common, "Memory: about " + in_gb(estimate.total_bytes()) + " (a step " +
                  in_gb(estimate.step_bytes) + ", " + in_gb(available) + " are free)" +
                  (memory == GradientMemory::kLow ? ", the low way" : ""));
  return memory;
}

}  // namespace

void train_command(int argc, char** argv) {
  TrainOptions options;
  CommonOptions common;
  const Json effective = parse_train_options(argc, argv, options, common);
  InversionOptions& inversion = options.inversion;

  set_compute_threads(common.threads);
  const ComputeTarget target = choose_target(common.device);
  const Bundle bundle = open_model(common);
  const std::unique_ptr<Tokenizer> tokenizer = bundle.load_tokenizer();
  check_name(inversion.name, *tokenizer);
  const std::vector<std::string> templates = input_templates(options.input);
  const fs::path embedding_file = fs::path(options.embeddings) / (inversion.name + ".safetensors");
  RunFolder run(
      options.resume.empty() ? fs::path(options.runs) / inversion.name : fs::path(options.resume),
      options.keep);
  check_nothing_is_overwritten(options, run, embedding_file);
  prepare_output_folder(options.embeddings);

  const Identities identities = {FaceNetwork::installed(options.input.face_network),
                                 IdentityNetwork::of(bundle, target.device)};
  const auto encoders = identities.all();
  const std::vector<Portrait> portraits = load_input(
      options.folder, options.input, bundle, encoders.empty() ? nullptr : encoders.front(), common);
  const PortraitLatents latents = encode_portraits(portraits, bundle, target, options.input.latents,
                                                   run.path() / "latents.safetensors");
  if (!latents.cache_problem.empty()) say(common, "Encoded again: " + latents.cache_problem);

  const TrainingOrigin origin = {effective, bundle.short_hash(), hash_of(latents)};
  TrainingState state;
  std::optional<InversionState> resumed;
  if (options.resume.empty()) {
    run.clear();
  } else {
    state = resume_from(run, origin, options, common).state;
    resumed = state.inversion;
  }
  write_file_atomically(run.path() / "config.json", effective.dump(2) + "\n");
  write_crops(portraits, run.path() / "portraits.png");

  const TextEncoder text_encoder(bundle, target.device);
  const UNet unet(bundle, target);
  inversion.memory = choose_memory(text_encoder, unet, options, latents, common);
  const Inversion::Model model = {bundle, *tokenizer, text_encoder, unet};
  Inversion trainer(model, latents, templates, inversion, resumed);
  const auto previews = read_prompt_file(data_folder() / "templates" / "previews.txt");
  const auto judge = make_judge(model, target, identities, options, portraits, previews, common);
  TrainReporter reporter(trainer, options, run, origin, fill_names(previews, {inversion.name}),
                         common);
  const StopReason reason = train(trainer, judge.get(), options.trainer, state, reporter.events());
  run.checkpoint(state, origin, /*now=*/true);
  Embedding embedding = best_embedding(trainer, state);
  embedding.metadata["sdx.version"] = version_text();
  write_embedding(embedding_file, embedding);
  reporter.finish(state, reason, embedding_file);

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
  const std::string next =
      options.input.kind == SubjectKind::kStyle
          ? "a portrait of a man in the style of " + placeholder(inversion.name)
          : placeholder(inversion.name) + " as an astronaut";
  say(common, "Next: sdx-generate \"" + next + "\"" + elsewhere);
}

}  // namespace sdx
