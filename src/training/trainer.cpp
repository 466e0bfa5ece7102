#include "sdx/training/trainer.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "sdx/generation/generator.h"
#include "sdx/util/memory.h"

namespace sdx {

namespace {

/// Thrown where a stop is asked for, also in an evaluation.
struct StopRequested {};

/// One training, in the pieces that lie between two steps of all. Whatever ends it, also an
/// exception, ends it for good: then the pieces do nothing.
class Training {
 public:
  Training(const TrainerTask& task, FreedMemory& memory) : task_(task), memory_(memory) {
    state().inversion = task_.inversion.state();
    if (!state().best_vectors.defined()) take_as_best();
  }

  bool is_over() const { return outcome_.has_value(); }
  const TrainerOutcome& outcome() const { return *outcome_; }
  bool was_stopped() const {
    return is_over() && !outcome_->failure && outcome_->reason == StopReason::kRequested;
  }

  Inversion& inversion() { return task_.inversion; }

  /// All that comes before a step, if there is to be one; else the training is over.
  void prepare() {
    attempt([this] {
      try {
        if (const auto reason = before_step()) end(*reason);
      } catch (const StopRequested&) {
        stop_at_once();
      }
    });
  }

  void stop() {
    attempt([this] { stop_at_once(); });
  }

  /// Where the next step's trace is to be put.
  StepTrace* trace() {
    StepTrace* requested = nullptr;
    attempt([&] {
      for (TrainingObserver* const one : observers()) {
        if (requested == nullptr) requested = one->trace(name(), done());
      }
    });
    return requested;
  }

  void take(const StepResult& result) {
    attempt([&] {
      state().inversion = task_.inversion.state();
      if (result.skipped) ++state().skipped_steps;
      const int most = task_.inversion.options().steps;
      for (TrainingObserver* const one : observers()) one->on_step(name(), result, done(), most);
    });
  }

  void fail(std::exception_ptr failure) { outcome_ = {StopReason::kSettled, std::move(failure)}; }

 private:
  TrainingState& state() const { return task_.state; }
  const std::vector<TrainingObserver*>& observers() const { return task_.observers; }
  const std::string& name() const { return task_.inversion.options().name; }
  int done() const { return task_.inversion.state().steps; }

  template <typename Action>
  void attempt(Action action) {
    if (is_over()) return;
    try {
      action();
    } catch (...) {
      fail(std::current_exception());
    }
  }

  void end(StopReason reason) { outcome_ = {reason, nullptr}; }

  void take_as_best() {
    state().best_vectors = state().inversion.vectors.clone();
    state().best_step = done();
  }

  /// Whoever stops wants the word as it is, unless a milestone says that it was better before.
  void stop_at_once() {
    if (blind() || state().milestones.empty()) take_as_best();
    rest();
    end(StopReason::kRequested);
  }

  std::optional<StopReason> before_step() {
    measure();
    const int milestone_steps = task_.options.milestone_steps;
    if (milestone_steps > 0 && done() % milestone_steps == 0) look();
    rest();
    if (stop_requested()) throw StopRequested{};
    const auto reason = why_stop();
    if (reason && *reason != StopReason::kNotFinite) {
      look();
      rest();
      if (!is_drawable_) return StopReason::kNotFinite;
    }
    return reason;
  }

  std::optional<StopReason> why_stop() const {
    if (!is_drawable_ || state().inversion.skipped_in_a_row >= kMostSkippedSteps) {
      return StopReason::kNotFinite;
    }
    if (done() >= task_.inversion.options().steps) return StopReason::kAllSteps;
    if (task_.options.stop_when_settled && done() >= task_.options.min_steps &&
        has_settled(state().curve, task_.options.patience)) {
      return StopReason::kSettled;
    }
    return std::nullopt;
  }

  bool stop_requested() const {
    return std::any_of(observers().begin(), observers().end(),
                       [](TrainingObserver* one) { return one->stop_requested(); });
  }

  void measure() {
    const bool is_due = done() % kMeasureEverySteps == 0;
    if (!is_due || (!state().curve.empty() && state().curve.back().step == done())) return;
    state().curve.push_back({done(), task_.inversion.fixed_batch_loss()});
    for (TrainingObserver* const one : observers()) {
      one->on_measurement(name(), state().curve.back());
    }
  }

  /// Whether nobody could tell one milestone from another: then the latest is the best.
  bool blind() const { return task_.judge == nullptr || !task_.judge->knows_the_person(); }

  void look() {
    if (state().inversion.skipped_in_a_row > 0) return;
    const bool is_done = !state().milestones.empty() && state().milestones.back().step == done();
    if (task_.judge == nullptr || is_done) {
      if (blind()) take_as_best();
      return;
    }
    memory_.give_back();
    EvaluatedImages judged;
    try {
      judged = task_.judge->evaluate(task_.inversion.embedding(), [this] {
        if (stop_requested()) throw StopRequested{};
      });
    } catch (const NotFiniteError&) {
      is_drawable_ = false;
      return;
    }
    if (blind()) take_as_best();
    const Milestone milestone{done(), judged.evaluation};
    // Of equals the latest, which has learnt most: all score 0 where no picture shows the person.
    // Not "is none better": a word that gives no pictures at all scores NaN.
    const auto is_no_better = [&](const Milestone& other) {
      return other.evaluation.score() <= milestone.evaluation.score();
    };
    const std::vector<Milestone>& others = state().milestones;
    if (!blind() && std::all_of(others.begin(), others.end(), is_no_better)) {
      take_as_best();
    }
    state().milestones.push_back(milestone);
    for (TrainingObserver* const one : observers()) {
      one->on_milestone(name(), milestone, judged.images);
    }
  }

  void rest() {
    for (TrainingObserver* const one : observers()) one->on_rest(name(), state());
  }

  TrainerTask task_;
  FreedMemory& memory_;
  bool is_drawable_ = true;  ///< the previews of the last milestone are images
  std::optional<TrainerOutcome> outcome_;
};

/// One step of each.
void step_all(const std::vector<Training*>& trainings) {
  std::vector<Inversion*> inversions;
  std::vector<StepTrace*> traces;
  std::vector<Training*> ready;
  for (Training* const training : trainings) {
    StepTrace* const trace = training->trace();
    if (training->is_over()) continue;
    ready.push_back(training);
    inversions.push_back(&training->inversion());
    traces.push_back(trace);
  }
  try {
    const std::vector<StepResult> results = step_together(inversions, traces);
    for (std::size_t i = 0; i < ready.size(); ++i) ready[i]->take(results[i]);
  } catch (...) {
    for (Training* const training : ready) training->fail(std::current_exception());
  }
}

}  // namespace

StopReason train(Inversion& inversion, const Judge* judge, const TrainerOptions& options,
                 TrainingState& state, TrainingObserver* observer) {
  std::vector<TrainingObserver*> observers;
  if (observer != nullptr) observers.push_back(observer);
  const TrainerOutcome outcome =
      train_together({{inversion, judge, options, state, observers}}).front();
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  return outcome.reason;
}

std::vector<TrainerOutcome> train_together(const std::vector<TrainerTask>& tasks) {
  FreedMemory memory;
  std::vector<Training> trainings;
  for (const TrainerTask& task : tasks) trainings.emplace_back(task, memory);
  for (;;) {
    std::vector<Training*> going;
    bool is_stopped = false;
    for (Training& training : trainings) {
      if (!is_stopped) training.prepare();
      is_stopped = is_stopped || training.was_stopped();
      if (!training.is_over()) going.push_back(&training);
    }
    if (is_stopped) {
      for (Training* const training : going) training->stop();
      break;
    }
    if (going.empty()) break;
    memory.keep();
    step_all(going);
  }
  std::vector<TrainerOutcome> outcomes;
  for (const Training& training : trainings) outcomes.push_back(training.outcome());
  return outcomes;
}

Embedding best_embedding(const Inversion& inversion, const TrainingState& state) {
  Embedding embedding = inversion.embedding();
  if (!state.best_vectors.defined()) return embedding;
  embedding.vectors = state.best_vectors.clone();
  embedding.metadata["sdx.steps"] = std::to_string(state.best_step);
  return embedding;
}

}  // namespace sdx
