#pragma once

#include <string>
#include <vector>

#include "sdx/dataset/subject.h"
#include "sdx/image/image.h"
#include "sdx/training/checkpoint.h"
#include "sdx/training/inversion.h"

namespace sdx {

/// Is told what happens in a training; a progress bar, a log or a test may be one. Override the
/// calls that matter; the others do nothing. `name` is that of the embedding, as one observer may
/// follow several trainings.
///
/// All calls come from the thread that trains. What a call throws ends the training that it is
/// about, and no other one.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;

  /// The portraits were read: which are used, which are not and why.
  virtual void on_portraits(const std::string& /*name*/, const SubjectPortraits& /*subject*/) {}

  /// A sentence for the person who waits. Settings in it are named by key.
  virtual void on_note(const std::string& /*name*/, const std::string& /*sentence*/) {}

  /// The first step comes next. `done` steps were done by an earlier process, `most` will be.
  virtual void on_start(const std::string& /*name*/, int /*done*/, int /*most*/) {}

  /// After each step. `done` counts it already.
  virtual void on_step(const std::string& /*name*/, const StepResult& /*result*/, int /*done*/,
                       int /*most*/) {}

  /// After each measurement of the loss on the fixed batch.
  virtual void on_measurement(const std::string& /*name*/, const Measurement& /*measurement*/) {}

  /// After each evaluation.
  /// @param images one for each prompt of the judge
  virtual void on_milestone(const std::string& /*name*/, const Milestone& /*milestone*/,
                            const std::vector<Image>& /*images*/) {}

  /// Between two steps, and after the last one: a good time for a checkpoint.
  virtual void on_rest(const std::string& /*name*/, const TrainingState& /*state*/) {}

  /// A line was added to metrics.jsonl: one JSON object, without a line's end.
  virtual void on_metrics(const std::string& /*name*/, const std::string& /*line*/) {}

  /// Where the trace of the next step is to be put; null where none is wanted.
  /// @param step steps that are done
  virtual StepTrace* trace(const std::string& /*name*/, int /*step*/) { return nullptr; }

  /// Asked often: between steps, and between those of the judge's sampler.
  virtual bool stop_requested() { return false; }
};

}  // namespace sdx
