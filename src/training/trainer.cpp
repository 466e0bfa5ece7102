#include "sdx/training/trainer.h"

#include <algorithm>

namespace sdx {

namespace {

/// Thrown out of the judge when a stop is asked for while it looks.
struct StopRequested {};

class Training {
 public:
  Training(Inversion& inversion, const Judge* judge, const TrainerOptions& options,
           TrainingState& state, const TrainerEvents& events)
      : inversion_(inversion), judge_(judge), options_(options), state_(state), events_(events) {}

  StopReason run() {
    try {
      return steps();
    } catch (const StopRequested&) {
      return stop_at_once();
    }
  }

 private:
  int done() const { return inversion_.state().steps; }

  void take_as_best() {
    state_.best_vectors = state_.inversion.vectors.clone();
    state_.best_step = done();
  }

  /// Whoever stops wants the word as it is, unless a milestone says that it was better before.
  StopReason stop_at_once() {
    if (blind() || state_.milestones.empty()) take_as_best();
    rest();
    return StopReason::kRequested;
  }

  StopReason steps() {
    state_.inversion = inversion_.state();
    if (!state_.best_vectors.defined()) take_as_best();
    for (;;) {
      measure();
      if (options_.milestone_steps > 0 && done() % options_.milestone_steps == 0) look();
      rest();
      if (stop_requested()) return stop_at_once();
      if (const auto reason = why_stop()) {
        if (*reason != StopReason::kNotFinite) {
          look();
          rest();
        }
        return *reason;
      }
      step();
    }
  }

  std::optional<StopReason> why_stop() const {
    if (state_.inversion.skipped_in_a_row >= kMostSkippedSteps) return StopReason::kNotFinite;
    if (done() >= inversion_.options().steps) return StopReason::kAllSteps;
    if (options_.stop_when_settled && done() >= options_.min_steps &&
        has_settled(state_.curve, options_.patience)) {
      return StopReason::kSettled;
    }
    return std::nullopt;
  }

  bool stop_requested() const { return events_.stop_requested && events_.stop_requested(); }

  void step() {
    const StepResult result = inversion_.step(events_.trace ? events_.trace(done()) : nullptr);
    state_.inversion = inversion_.state();
    if (result.skipped) ++state_.skipped_steps;
    if (events_.step) events_.step(result);
  }

  void measure() {
    const bool is_due = done() % kMeasureEverySteps == 0;
    if (!is_due || (!state_.curve.empty() && state_.curve.back().step == done())) return;
    state_.curve.push_back({done(), inversion_.fixed_batch_loss()});
    if (events_.measurement) events_.measurement(state_.curve.back());
  }

  /// Whether nobody could tell one milestone from another: then the latest is the best.
  bool blind() const { return judge_ == nullptr || !judge_->knows_the_person(); }

  void look() {
    if (state_.inversion.skipped_in_a_row > 0) return;
    if (blind()) take_as_best();
    const bool is_done = !state_.milestones.empty() && state_.milestones.back().step == done();
    if (judge_ == nullptr || is_done) return;
    const JudgedPictures judged = judge_->look_at(inversion_.embedding(), [this] {
      if (stop_requested()) throw StopRequested{};
    });
    const Milestone milestone{done(), judged.verdict};
    // Not "is none better": a word that gives no pictures at all scores NaN.
    const auto is_worse = [&](const Milestone& other) {
      return other.verdict.score() < milestone.verdict.score();
    };
    if (!blind() && std::all_of(state_.milestones.begin(), state_.milestones.end(), is_worse)) {
      take_as_best();
    }
    state_.milestones.push_back(milestone);
    if (events_.milestone) events_.milestone(milestone, judged.pictures);
  }

  void rest() {
    if (events_.rest) events_.rest(state_);
  }

  Inversion& inversion_;
  const Judge* judge_;
  const TrainerOptions& options_;
  TrainingState& state_;
  const TrainerEvents& events_;
};

}  // namespace

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kSettled:
      return "the loss has settled";
    case StopReason::kAllSteps:
      return "all steps are done";
    case StopReason::kRequested:
      return "a stop was asked for";
    case StopReason::kNotFinite:
      return "the loss was not finite";
  }
  return "";
}

StopReason train(Inversion& inversion, const Judge* judge, const TrainerOptions& options,
                 TrainingState& state, const TrainerEvents& events) {
  return Training(inversion, judge, options, state, events).run();
}

Embedding best_embedding(const Inversion& inversion, const TrainingState& state) {
  Embedding embedding = inversion.embedding();
  if (!state.best_vectors.defined()) return embedding;
  embedding.vectors = state.best_vectors.clone();
  embedding.metadata["sdx.steps"] = std::to_string(state.best_step);
  return embedding;
}

}  // namespace sdx
