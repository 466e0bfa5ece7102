#include "sdx/training/training_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "sdx/embedding/embedding_writer.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/training/memory_estimate.h"
#include "sdx/training/report.h"
#include "sdx/training/time_estimate.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/stopwatch.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
#include "training/portrait_sheet.h"
#include "training/training_parts.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// The likeness at the start and of the vectors that are kept, where it could be measured.
std::optional<BeforeAfter> likeness_before_after(const TrainingState& state) {
  if (state.milestones.empty()) return std::nullopt;
  const auto best = std::find_if(state.milestones.begin(), state.milestones.end(),
                                 [&](const Milestone& one) { return one.step == state.best_step; });
  if (best == state.milestones.end() || best->evaluation.likeness == 0) return std::nullopt;
  return BeforeAfter{state.milestones.front().evaluation.likeness, best->evaluation.likeness};
}

/// The first encoder that knows the person; null if none does.
const IdentityEncoder* find_witness(const Identities& identities,
                                    const std::vector<Image>& portraits) {
  for (const IdentityEncoder* identity : identities.all()) {
    if (knows_the_person(*identity, portraits)) return identity;
  }
  return nullptr;
}

}  // namespace

/// A training that takes steps, and records them in its folder.
class RunningTraining : public TrainingObserver {
 public:
  RunningTraining(PreparedTraining prepared, const Inversion::Model& model, int sharing)
      : parts_(std::move(prepared.parts_)),
        spec_(parts_->spec),
        folder_(parts_->folder),
        observer_(parts_->observer),
        state_(parts_->state) {
    InversionOptions options = spec_.inversion;
    const StepShape shape = step_shape(sharing);
    const Stopwatch stopwatch;
    options.memory = choose_memory(model, shape);
    if (sharing == 1) announce_time(model, shape, options.memory, stopwatch.seconds());
    std::optional<InversionState> resumed;
    if (state_.inversion.vectors.defined()) resumed = state_.inversion;
    inversion_.emplace(model, parts_->latents, spec_.templates, options, resumed);
    make_judge(model);
    spdlog::debug("Start: {}", inversion_->state().start_words);
    stopwatch_ = {};
  }

  TrainerTask task() {
    return {*inversion_, judge_ ? &*judge_ : nullptr, spec_.trainer, state_, {this, &observer_}};
  }

  void tell_start() {
    observer_.on_start(spec_.inversion.name, inversion_->state().steps,
                       inversion_->options().steps);
  }

  static TrainedEmbedding end(std::unique_ptr<RunningTraining> run, StopReason reason) {
    return {std::move(run), reason};
  }

  int steps() const { return state_.inversion.steps; }

  void save_checkpoint() { folder_.checkpoint(state_, parts_->identity, /*now=*/true); }

  TrainingSummary save(StopReason reason, const fs::path& embedding_file,
                       const std::string& version) {
    save_checkpoint();
    if (reason == StopReason::kRequested) take_what_came_after_the_best();
    note_if_nobody_was_recognised();
    Embedding embedding = best_embedding(*inversion_, state_);
    embedding.metadata["sdx.version"] = version;
    for (const auto& [key, value] : spec_.notes) embedding.metadata[key] = value;
    write_embedding(embedding_file, embedding);
    TrainingSummary result = summary(reason, embedding_file);
    write_file_atomically(folder_.path() / "summary.json", to_json_text(result) + "\n");
    write_report(folder_.path());
    return result;
  }

  void on_step(const std::string& /*name*/, const StepResult& result, int done,
               int /*most*/) override {
    Json line = {{"step", done},
                 {"loss", result.loss},
                 {"gradient_norm", result.gradient_norm},
                 {"learning_rate", result.learning_rate},
                 {"vector_norm", result.vector_norm},
                 {"seconds", stopwatch_.seconds()}};
    if (result.skipped) line["skipped"] = true;
    write_metrics(line);
  }

  void on_measurement(const std::string& /*name*/, const Measurement& one) override {
    write_metrics({{"step", one.step}, {"fixed_loss", one.loss}});
  }

  void on_milestone(const std::string& /*name*/, const Milestone& one,
                    const std::vector<Image>& images) override {
    Json line = {{"step", one.step}, {"obedience", one.evaluation.obedience}};
    if (one.evaluation.likeness > 0) {
      line["likeness"] = one.evaluation.likeness;
      Json& by_portrait = line["likeness_by_portrait"] = Json::array();
      for (const auto& likeness : one.evaluation.likeness_by_portrait) {
        by_portrait.push_back(likeness ? Json(*likeness) : Json());
      }
      line["score"] = one.evaluation.score();
    }
    write_metrics(line);
    folder_.write_milestone(one, images, fill_names(parts_->previews, {spec_.inversion.name}),
                            inversion_->embedding());
    log(one);
  }

  void on_rest(const std::string& /*name*/, const TrainingState& now) override {
    folder_.checkpoint(now, parts_->identity);
  }

 private:
  StepShape step_shape(int sharing) const {
    const at::Tensor& mean = parts_->latents.distribution.mean;
    StepShape shape;
    shape.batch_size = sharing * spec_.inversion.batch_size;
    shape.without_gradient = fixed_batch_rows(spec_.inversion);
    shape.latent_height = static_cast<int>(mean.size(2));
    shape.latent_width = static_cast<int>(mean.size(3));
    return shape;
  }

  /// Says how long it will take, where that is long.
  /// @param look_s what choose_memory() took: more than a step on a picture of kLookArea. If it
  ///               shows that the training is short, nothing else is measured.
  void announce_time(const Inversion::Model& model, const StepShape& shape, GradientMemory memory,
                     double look_s) const {
    constexpr double kLookArea = 32 * 32;
    if (!parts_->target.device.is_cpu()) return;
    const TrainingWork work =
        count_work(spec_.inversion, spec_.trainer, state_.inversion.steps, parts_->previews.size());
    const double larger = std::max(1.0, shape.latent_height * shape.latent_width / kLookArea);
    const double most_s = look_s * larger * larger;
    if (estimate_seconds(work, {most_s, most_s}) < kLongTrainingSeconds) return;
    const PictureTimes times =
        measure_picture_times(model.text_encoders, model.unet, shape, memory);
    if (estimate_seconds(work, times) < kLongTrainingSeconds) return;
    parts_->note(describe_time(work, times));
  }

  /// Says what a step will take, and takes the way that fits.
  GradientMemory choose_memory(const Inversion::Model& model, const StepShape& shape) const {
    const std::int64_t available = available_bytes(parts_->target.device);
    GradientMemory memory =
        spec_.memory == MemoryChoice::kLow ? GradientMemory::kLow : GradientMemory::kNormal;
    MemoryEstimate estimate = estimate_memory(model.text_encoders, model.unet, shape, memory);
    if (spec_.memory == MemoryChoice::kAuto && estimate.step_bytes > available) {
      memory = GradientMemory::kLow;
      estimate = estimate_memory(model.text_encoders, model.unet, shape, memory);
    }
    parts_->note("Memory: about " + bytes_text(static_cast<std::uint64_t>(estimate.total_bytes())) +
                 " (a step " + bytes_text(static_cast<std::uint64_t>(estimate.step_bytes)) + ", " +
                 bytes_text(static_cast<std::uint64_t>(available)) + " are free)" +
                 (memory == GradientMemory::kLow ? ", the low way" : ""));
    require_memory(estimate, available, spec_.inversion.batch_size, memory);
    return memory;
  }

  /// Through the first encoder that knows the person; through none if none does.
  void make_judge(const Inversion::Model& model) {
    if (parts_->previews.empty()) {
      parts_->note("No previews (`previews` 0): the last word is kept, not the best");
      return;
    }
    const std::vector<Image> portraits = parts_->subject.used();
    JudgeOptions look;
    look.size_px = spec_.subject.size_px;
    look.prompts = parts_->previews;
    const IdentityEncoder* witness = nullptr;
    if (spec_.subject.kind == SubjectKind::kPerson) {
      witness = find_witness(parts_->identities, portraits);
      if (witness == nullptr) {
        parts_->note(
            "Likeness cannot be told, no network here knows this face: the last word is kept, not "
            "the best");
      }
    }
    judge_.emplace(model, parts_->target, witness, portraits, look);
  }

  void write_metrics(const Json& line) {
    const std::string text = line.dump();
    folder_.write_metrics(text);
    observer_.on_metrics(spec_.inversion.name, text);
  }

  void log(const Milestone& one) const {
    const std::string likeness =
        judge_->knows_the_person() ? ", likeness " + fixed_number(one.evaluation.likeness, 3) : "";
    spdlog::debug("Step {}: obedience {:.3f}{}{}", one.step, one.evaluation.obedience, likeness,
                  state_.best_step == one.step ? ", the best so far" : "");
  }

  /// Whoever stops wants what was learnt since the last milestone too, unless one before it was
  /// better. Not for the checkpoint: a resumed training chooses as if it had never stopped.
  void take_what_came_after_the_best() {
    if (state_.milestones.empty() || state_.best_step != state_.milestones.back().step) return;
    state_.best_vectors = state_.inversion.vectors;
    state_.best_step = state_.inversion.steps;
  }

  void note_if_nobody_was_recognised() const {
    const auto shows_nobody = [](const Milestone& one) { return one.evaluation.likeness == 0; };
    const std::vector<Milestone>& milestones = state_.milestones;
    if (milestones.empty() || state_.best_step != state_.inversion.steps || !judge_ ||
        !judge_->knows_the_person() ||
        !std::all_of(milestones.begin(), milestones.end(), shows_nobody)) {
      return;
    }
    parts_->note(
        "No milestone's picture shows a face that is like this one: the last word is kept, not the "
        "best");
  }

  TrainingSummary summary(StopReason reason, const fs::path& embedding_file) const {
    TrainingSummary summary;
    summary.name = spec_.inversion.name;
    summary.model = spec_.model.model;
    summary.embedding = embedding_file;
    summary.steps = state_.inversion.steps;
    summary.reason = reason;
    summary.best_step = state_.best_step;
    summary.skipped_steps = state_.skipped_steps;
    summary.start = state_.inversion.start_words;
    summary.seconds = stopwatch_.seconds();
    summary.peak_memory_gb = static_cast<double>(peak_bytes(parts_->target.device)) / 1e9;
    if (!state_.curve.empty()) {
      summary.loss = BeforeAfter{state_.curve.front().loss, state_.curve.back().loss};
    }
    summary.likeness = likeness_before_after(state_);
    return summary;
  }

  std::unique_ptr<PreparedTraining::Parts> parts_;
  const TrainingSpec& spec_;
  RunFolder& folder_;
  TrainingObserver& observer_;
  TrainingState& state_;
  std::optional<Inversion> inversion_;
  std::optional<Judge> judge_;
  Stopwatch stopwatch_;
};

PreparedTraining::PreparedTraining(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PreparedTraining::PreparedTraining(PreparedTraining&&) noexcept = default;
PreparedTraining& PreparedTraining::operator=(PreparedTraining&&) noexcept = default;
PreparedTraining::~PreparedTraining() = default;

int PreparedTraining::steps_done() const { return parts_->state.inversion.steps; }

PreparedTraining prepare_training(const Bundle& bundle, const ComputeTarget& target,
                                  const Identities& identities, TrainingSpec spec,
                                  RunFolder& folder, ResumePolicy resume,
                                  TrainingObserver& observer) {
  check_train_encoders(spec.inversion.train_encoders, bundle.info().text_encoders.size());
  auto parts = std::make_unique<PreparedTraining::Parts>(bundle, target, identities,
                                                         std::move(spec), folder, observer);
  parts->load_portraits();
  parts->find_checkpoint(resume);
  write_file_atomically(folder.path() / "config.json", parts->spec.configuration + "\n");
  write_portrait_sheet(parts->subject.portraits,
                       fill_names(parts->previews, {parts->spec.inversion.name}), folder.path());
  return PreparedTraining(std::move(parts));
}

TrainedEmbedding::TrainedEmbedding(std::unique_ptr<RunningTraining> run, StopReason reason)
    : run_(std::move(run)), reason_(reason) {}
TrainedEmbedding::TrainedEmbedding(TrainedEmbedding&&) noexcept = default;
TrainedEmbedding& TrainedEmbedding::operator=(TrainedEmbedding&&) noexcept = default;
TrainedEmbedding::~TrainedEmbedding() = default;

StopReason TrainedEmbedding::reason() const { return reason_; }

int TrainedEmbedding::steps() const { return run_->steps(); }

void TrainedEmbedding::save_checkpoint() { run_->save_checkpoint(); }

TrainingSummary TrainedEmbedding::save(const fs::path& embedding_file, const std::string& version) {
  return run_->save(reason_, embedding_file, version);
}

TrainedEmbedding train(PreparedTraining training, const Inversion::Model& model) {
  std::vector<PreparedTraining> trainings;
  trainings.push_back(std::move(training));
  TrainingAttempt attempt =
      std::move(train_together(std::move(trainings), model, /*sharing=*/1).front());
  if (attempt.failure) std::rethrow_exception(attempt.failure);
  return std::move(*attempt.trained);
}

std::vector<TrainingAttempt> train_together(std::vector<PreparedTraining> trainings,
                                            const Inversion::Model& model, int sharing) {
  std::vector<TrainingAttempt> attempts(trainings.size());
  std::vector<std::unique_ptr<RunningTraining>> runs(trainings.size());
  std::vector<TrainerTask> tasks;
  std::vector<std::size_t> places;  // of the tasks among the trainings
  for (std::size_t i = 0; i < trainings.size(); ++i) {
    try {
      runs[i] = std::make_unique<RunningTraining>(std::move(trainings[i]), model, sharing);
      runs[i]->tell_start();
      tasks.push_back(runs[i]->task());
      places.push_back(i);
    } catch (...) {
      attempts[i].failure = std::current_exception();
    }
  }
  const std::vector<TrainerOutcome> outcomes = train_together(tasks);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    TrainingAttempt& attempt = attempts[places[i]];
    attempt.failure = outcomes[i].failure;
    if (!attempt.failure) {
      attempt.trained = RunningTraining::end(std::move(runs[places[i]]), outcomes[i].reason);
    }
  }
  return attempts;
}

}  // namespace sdx
