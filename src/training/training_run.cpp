#include "sdx/training/training_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "sdx/embedding/embedding_writer.h"
#include "sdx/image/contact_sheet.h"
#include "sdx/image/png.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/training/memory_estimate.h"
#include "sdx/training/report.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/memory.h"
#include "sdx/util/stopwatch.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::string in_gb(std::int64_t bytes) {
  return fixed_number(static_cast<double>(bytes) / 1e9, 2) + " GB";
}

void write_crops(const std::vector<Portrait>& portraits, const fs::path& file) {
  std::vector<SheetCell> cells;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) cells.push_back({portrait.image, portrait.file.filename().string()});
  }
  write_png(file, contact_sheet(cells));
}

/// The likeness at the start and of the word that is kept, where it could be told.
std::optional<std::pair<double, double>> likeness_before_after(const TrainingState& state) {
  if (state.milestones.empty()) return std::nullopt;
  const auto best = std::find_if(state.milestones.begin(), state.milestones.end(),
                                 [&](const Milestone& one) { return one.step == state.best_step; });
  if (best == state.milestones.end() || best->verdict.likeness == 0) return std::nullopt;
  return std::pair(state.milestones.front().verdict.likeness, best->verdict.likeness);
}

/// The first encoder that knows the person; null if none does.
const IdentityEncoder* witness_of(const Identities& identities,
                                  const std::vector<Image>& pictures) {
  for (const IdentityEncoder* identity : identities.all()) {
    if (knows_the_person(*identity, pictures)) return identity;
  }
  return nullptr;
}

void throw_difference(const OriginDifference& difference, const fs::path& folder) {
  if (!difference.fatal.empty()) {
    throw DataError("--resume " + folder.string() +
                    ": made for another training: " + join(difference.fatal, "; "));
  }
  throw UsageError("--resume " + folder.string() + ": not the same training any more: " +
                   join(difference.other, "; ") + ". --resume-anyway goes on nevertheless");
}

}  // namespace

std::string_view to_string(MemoryChoice choice) {
  switch (choice) {
    case MemoryChoice::kAuto:
      return "auto";
    case MemoryChoice::kNormal:
      return "normal";
    case MemoryChoice::kLow:
      return "low";
  }
  return "";
}

MemoryChoice parse_memory_choice(std::string_view text) {
  for (const MemoryChoice choice :
       {MemoryChoice::kAuto, MemoryChoice::kNormal, MemoryChoice::kLow}) {
    if (text == to_string(choice)) return choice;
  }
  throw UsageError("--memory: expected auto, normal or low, found \"" + std::string(text) + "\"");
}

struct TrainingRun::Impl {
  Impl(const Bundle& used_bundle, const ComputeTarget& used_target, const Identities& known,
       TrainingSpec wanted, RunFolder& in, TrainingRunEvents told)
      : bundle(used_bundle),
        target(used_target),
        identities(known),
        spec(std::move(wanted)),
        folder(in),
        events(std::move(told)),
        previews(read_named_prompts(data_folder() / "templates" / "previews.txt")) {}

  void note(const std::string& sentence) const {
    if (events.note) events.note(sentence);
  }

  void load_portraits() {
    const auto encoders = identities.all();
    subject = load_subject(spec.portraits, spec.subject, bundle,
                           encoders.empty() ? nullptr : encoders.front());
    if (events.portraits) events.portraits(subject);
    check_enough_portraits(spec.portraits, subject.portraits);
    latents = encode_portraits(subject.portraits, bundle, target, spec.subject.latents,
                               folder.path() / "latents.safetensors");
    spdlog::debug("Pictures encoded: {}; the others were known from an earlier training",
                  latents.encoded);
    if (!latents.cache_problem.empty()) note("Encoded again: " + latents.cache_problem);
    origin = {spec.settings, bundle.short_hash(), hash_of(latents)};
  }

  /// The checkpoint to go on from; without one the folder is cleared.
  void look_for_checkpoint(ResumePolicy policy) {
    const bool is_there = folder.steps_done().has_value();
    if (policy == ResumePolicy::kStartAnew || (policy == ResumePolicy::kIfSame && !is_there)) {
      return folder.clear();
    }
    Checkpoint found =
        folder.resume([this](const std::string& warning) { note("Warning: " + warning); });
    const OriginDifference difference = compare(found.origin, origin);
    const bool is_same = difference.fatal.empty() && difference.other.empty();
    if (!is_same && policy == ResumePolicy::kIfSame) return folder.clear();
    if (!is_same && (policy == ResumePolicy::kOnlySame || !difference.fatal.empty())) {
      throw_difference(difference, folder.path());
    }
    note("Going on after step " + std::to_string(found.state.inversion.steps));
    state = std::move(found.state);
    resumed = state.inversion;
  }

  /// Says what a step will take, and takes the way that fits.
  GradientMemory choose_memory(const Inversion::Model& model, int together) const {
    const at::Tensor& mean = latents.distribution.mean;
    StepShape shape;
    shape.batch_size = together * spec.inversion.batch_size;
    shape.without_gradient = fixed_batch_rows(spec.inversion);
    shape.latent_height = static_cast<int>(mean.size(2));
    shape.latent_width = static_cast<int>(mean.size(3));
    const std::int64_t available = available_bytes(target.device);
    GradientMemory memory =
        spec.memory == MemoryChoice::kLow ? GradientMemory::kLow : GradientMemory::kNormal;
    MemoryEstimate estimate = estimate_memory(model.text_encoders, model.unet, shape, memory);
    if (spec.memory == MemoryChoice::kAuto && estimate.step_bytes > available) {
      memory = GradientMemory::kLow;
      estimate = estimate_memory(model.text_encoders, model.unet, shape, memory);
    }
    note("Memory: about " + in_gb(estimate.total_bytes()) + " (a step " +
         in_gb(estimate.step_bytes) + ", " + in_gb(available) + " are free)" +
         (memory == GradientMemory::kLow ? ", the low way" : ""));
    return memory;
  }

  /// Through the first encoder that knows the person; through none if none does.
  void make_judge(const Inversion::Model& model) {
    const std::vector<Image> pictures = subject.used();
    JudgeOptions look;
    look.prompts = previews;
    const IdentityEncoder* witness = nullptr;
    if (spec.subject.kind == SubjectKind::kPerson) {
      witness = witness_of(identities, pictures);
      if (witness == nullptr) {
        note(
            "Likeness cannot be told, no network here knows this face: the last word is kept, not "
            "the best");
      }
    }
    judge.emplace(model, target, witness, pictures, look);
  }

  double seconds() const { return stopwatch.seconds(); }

  void metrics(const Json& line) {
    folder.write_metrics(line);
    if (events.metrics) events.metrics(line);
  }

  void record_step(const StepResult& result) {
    const int done = inversion->state().steps;
    Json line = {{"step", done},
                 {"loss", result.loss},
                 {"gradient_norm", result.gradient_norm},
                 {"learning_rate", result.learning_rate},
                 {"vector_norm", result.vector_norm},
                 {"seconds", seconds()}};
    if (result.skipped) line["skipped"] = true;
    metrics(line);
    if (events.step) events.step(done, loss_figure + likeness_figure);
  }

  void log(const Milestone& one) const {
    const std::string likeness =
        judge->knows_the_person() ? ", likeness " + fixed_number(one.verdict.likeness, 3) : "";
    spdlog::debug("Step {}: obedience {:.3f}{}{}", one.step, one.verdict.obedience, likeness,
                  state.best_step == one.step ? ", the best so far" : "");
  }

  void record_milestone(const Milestone& one, const std::vector<Image>& pictures) {
    Json line = {{"step", one.step}, {"obedience", one.verdict.obedience}};
    if (one.verdict.likeness > 0) {
      line["likeness"] = one.verdict.likeness;
      line["score"] = one.verdict.score();
      likeness_figure = "  likeness " + fixed_number(one.verdict.likeness, 2);
    }
    metrics(line);
    folder.write_milestone(one, pictures, fill_names(previews, {spec.inversion.name}),
                           inversion->embedding());
    log(one);
  }

  TrainerEvents recording() {
    TrainerEvents recorded;
    recorded.step = [this](const StepResult& result) { record_step(result); };
    recorded.measurement = [this](const Measurement& one) {
      metrics({{"step", one.step}, {"fixed_loss", one.loss}});
      loss_figure = "loss " + fixed_number(one.loss, 4);
    };
    recorded.milestone = [this](const Milestone& one, const std::vector<Image>& pictures) {
      record_milestone(one, pictures);
    };
    recorded.rest = [this](const TrainingState& now) { folder.checkpoint(now, origin); };
    recorded.stop_requested = events.stop_requested;
    recorded.trace = events.trace;
    return recorded;
  }

  /// Whoever stops wants what was learnt since the last milestone too, unless one before it was
  /// better. Not for the checkpoint: a resumed training chooses as if it had never stopped.
  void take_what_came_after_the_best() {
    if (state.milestones.empty() || state.best_step != state.milestones.back().step) return;
    state.best_vectors = state.inversion.vectors;
    state.best_step = state.inversion.steps;
  }

  void note_if_nobody_was_recognised() const {
    const auto shows_nobody = [](const Milestone& one) { return one.verdict.likeness == 0; };
    if (state.milestones.empty() || state.best_step != state.inversion.steps ||
        !judge->knows_the_person() ||
        !std::all_of(state.milestones.begin(), state.milestones.end(), shows_nobody)) {
      return;
    }
    note(
        "No milestone's picture shows a face that is like this one: the last word is kept, not the "
        "best");
  }

  Json summary(StopReason reason, const fs::path& embedding_file) const {
    Json summary = {{"name", spec.inversion.name},
                    {"model", spec.settings.value("model", "")},
                    {"embedding", embedding_file.string()},
                    {"steps", state.inversion.steps},
                    {"stopped_because", to_string(reason)},
                    {"best_step", state.best_step},
                    {"skipped_steps", state.skipped_steps},
                    {"start", state.inversion.start_words},
                    {"seconds", seconds()},
                    {"peak_memory_gb", static_cast<double>(peak_memory_bytes()) / 1e9}};
    if (!state.curve.empty()) {
      summary["loss_before"] = state.curve.front().loss;
      summary["loss_after"] = state.curve.back().loss;
    }
    if (const auto likeness = likeness_before_after(state)) {
      summary["likeness_before"] = likeness->first;
      summary["likeness_after"] = likeness->second;
    }
    return summary;
  }

  const Bundle& bundle;
  const ComputeTarget& target;
  const Identities& identities;
  TrainingSpec spec;
  RunFolder& folder;
  TrainingRunEvents events;
  std::vector<std::string> previews;  ///< prompts of the judge, with {name}

  SubjectPortraits subject;
  PortraitLatents latents;
  TrainingOrigin origin;
  TrainingState state;
  std::optional<InversionState> resumed;

  std::optional<Inversion> inversion;
  std::optional<Judge> judge;
  TrainerEvents trainer_events;
  Stopwatch stopwatch;
  std::string loss_figure;
  std::string likeness_figure;
};

TrainingRun::TrainingRun(const Bundle& bundle, const ComputeTarget& target,
                         const Identities& identities, TrainingSpec spec, RunFolder& folder,
                         ResumePolicy resume, TrainingRunEvents events)
    : impl_(std::make_unique<Impl>(bundle, target, identities, std::move(spec), folder,
                                   std::move(events))) {
  impl_->load_portraits();
  impl_->look_for_checkpoint(resume);
  write_file_atomically(folder.path() / "config.json", impl_->spec.settings.dump(2) + "\n");
  write_crops(impl_->subject.portraits, folder.path() / "portraits.png");
}

TrainingRun::~TrainingRun() = default;

void TrainingRun::begin(const Inversion::Model& model, int together) {
  InversionOptions options = impl_->spec.inversion;
  options.memory = impl_->choose_memory(model, together);
  impl_->inversion.emplace(model, impl_->latents, impl_->spec.templates, options, impl_->resumed);
  impl_->make_judge(model);
  impl_->trainer_events = impl_->recording();
  spdlog::debug("Start: {}", impl_->inversion->state().start_words);
  impl_->stopwatch = {};
}

TrainerTask TrainingRun::task() {
  return {*impl_->inversion, &*impl_->judge, impl_->spec.trainer, impl_->state,
          impl_->trainer_events};
}

int TrainingRun::steps() const { return impl_->state.inversion.steps; }

void TrainingRun::pause() { impl_->folder.checkpoint(impl_->state, impl_->origin, /*now=*/true); }

Json TrainingRun::finish(StopReason reason, const fs::path& embedding_file,
                         const std::string& version) {
  pause();
  if (reason == StopReason::kRequested) impl_->take_what_came_after_the_best();
  impl_->note_if_nobody_was_recognised();
  Embedding embedding = best_embedding(*impl_->inversion, impl_->state);
  embedding.metadata["sdx.version"] = version;
  for (const auto& [key, value] : impl_->spec.notes) embedding.metadata[key] = value;
  write_embedding(embedding_file, embedding);
  const Json summary = impl_->summary(reason, embedding_file);
  write_file_atomically(impl_->folder.path() / "summary.json", summary.dump(2) + "\n");
  write_report(impl_->folder.path());
  return summary;
}

}  // namespace sdx
