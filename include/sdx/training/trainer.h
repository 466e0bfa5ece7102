#pragma once

#include <array>
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "sdx/training/checkpoint.h"
#include "sdx/training/inversion.h"
#include "sdx/training/judge.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// When training ends and how often it looks at itself. The most steps are InversionOptions::steps.
struct TrainerOptions {
  bool stop_when_settled = true;  ///< end where the loss on the fixed batch has settled
  int patience = 100;             ///< steps over which it must be flat (has_settled's window)
  int min_steps = 100;            ///< never settle before
  int milestone_steps = 50;       ///< between two looks of the judge; 0: only at the end
};

enum class StopReason {
  kSettled,    ///< the loss on the fixed batch did not move any more
  kAllSteps,   ///< InversionOptions::steps are done
  kRequested,  ///< by TrainerEvents::stop_requested
  kNotFinite,  ///< kMostSkippedSteps losses in a row were not finite
};

template <>
inline constexpr std::array kEnumTexts<StopReason> = {
    EnumText{StopReason::kSettled, "the loss has settled"},
    EnumText{StopReason::kAllSteps, "all steps are done"},
    EnumText{StopReason::kRequested, "a stop was asked for"},
    EnumText{StopReason::kNotFinite, "the loss was not finite"}};

inline constexpr int kMostSkippedSteps = 10;
/// Between two looks at the fixed batch, which costs about a step and a half.
inline constexpr int kMeasureEverySteps = 10;

/// What happens on the way; each may be empty.
struct TrainerEvents {
  std::function<void(const StepResult&)> step;  ///< state().steps counts it already
  std::function<void(const Measurement&)> measurement;
  std::function<void(const Milestone&, const std::vector<Image>& pictures)> milestone;
  std::function<void(const TrainingState&)> rest;  ///< between steps: a good time for a checkpoint
  std::function<bool()> stop_requested;
  /// Where a step's trace is to be put, if it is wanted.
  std::function<StepTrace*(int step)> trace;
};

/// Steps until one of the reasons holds, looking at the fixed batch and through the judge on the
/// way. With a judge that knows the person, `state.best_vectors` are those of the milestone with
/// the highest score; else those of the last step.
/// @param state empty for a new training, or a checkpoint's; `inversion` must be in its state.
/// @param judge may be null: then there are no milestones.
StopReason train(Inversion& inversion, const Judge* judge, const TrainerOptions& options,
                 TrainingState& state, const TrainerEvents& events);

/// One of several trainings that go on at once; what it refers to outlives the call.
struct TrainerTask {
  Inversion& inversion;
  const Judge* judge = nullptr;
  const TrainerOptions& options;
  TrainingState& state;
  const TrainerEvents& events;
};

struct TrainerOutcome {
  StopReason reason = StopReason::kSettled;  ///< means nothing where there is a failure
  std::exception_ptr failure;                ///< what an event, the judge or a step threw
};

/// Trains each as train() would alone, but for the rounding of step_together(), by which their
/// steps are made. Each measures, is judged and ends for itself; those that are done leave, the
/// others go on. What an event or a judge throws ends its own training only; what the model throws
/// in a step ends all that were in it. A stop that one of them is asked for stops all.
/// @param tasks of different inversions, at any step each.
/// @return one for each task.
std::vector<TrainerOutcome> train_together(const std::vector<TrainerTask>& tasks);

/// The word to be kept: with `state.best_vectors`.
Embedding best_embedding(const Inversion& inversion, const TrainingState& state);

}  // namespace sdx
