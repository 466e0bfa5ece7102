#pragma once

#include <array>
#include <exception>
#include <vector>

#include "sdx/training/checkpoint.h"
#include "sdx/training/inversion.h"
#include "sdx/training/judge.h"
#include "sdx/training/training_observer.h"
#include "sdx/util/enum_text.h"

namespace sdx {

enum class StopReason {
  kSettled,    ///< the loss on the fixed batch did not move any more
  kAllSteps,   ///< InversionOptions::steps are done
  kRequested,  ///< by TrainingObserver::stop_requested
  kNotFinite,  ///< kMostSkippedSteps losses in a row, or a preview, were not finite
};

template <>
inline constexpr std::array kEnumTexts<StopReason> = {
    EnumText{StopReason::kSettled, "the loss has settled"},
    EnumText{StopReason::kAllSteps, "all steps are done"},
    EnumText{StopReason::kRequested, "a stop was asked for"},
    EnumText{StopReason::kNotFinite, "the loss was not finite"}};

inline constexpr int kMostSkippedSteps = 10;
/// Between two measurements of the loss on the fixed batch, each of which costs about a step and a
/// half.
inline constexpr int kMeasureEverySteps = 10;

/// Steps until one of the reasons holds, looking at the fixed batch and through the judge on the
/// way. With a judge that knows the person, `state.best_vectors` are those of the milestone with
/// the highest score; else those of the last step.
/// @param state empty for a new training, or a checkpoint's; `inversion` must be in its state.
/// @param judge    may be null: then there are no milestones.
/// @param observer may be null
StopReason train(Inversion& inversion, const Judge* judge, const TrainerOptions& options,
                 TrainingState& state, TrainingObserver* observer = nullptr);

/// One of several trainings that go on at once; what it refers to outlives the call.
struct TrainerTask {
  Inversion& inversion;
  const Judge* judge = nullptr;
  const TrainerOptions& options;
  TrainingState& state;
  /// Each is called, in this order. One of them may ask to stop; the first that wants a trace gets
  /// it.
  std::vector<TrainingObserver*> observers;
};

struct TrainerOutcome {
  StopReason reason = StopReason::kSettled;  ///< means nothing where there is a failure
  std::exception_ptr failure;                ///< what an observer, the judge or a step threw
};

/// Trains each as train() would alone, but for the rounding of step_together(), by which their
/// steps are made. Each measures, is judged and ends for itself; those that are done leave, the
/// others go on. What an observer or a judge throws ends its own training only; what the model
/// throws in a step ends all that were in it. A stop that one of them is asked for stops all.
/// @param tasks of different inversions, at any step each.
/// @return one for each task.
std::vector<TrainerOutcome> train_together(const std::vector<TrainerTask>& tasks);

/// The embedding to be kept: with `state.best_vectors`.
Embedding best_embedding(const Inversion& inversion, const TrainingState& state);

}  // namespace sdx
