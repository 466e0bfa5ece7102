#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sdx/training/training_options.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/training/training_run.h"

namespace sdx {

/// Tells the person at the terminal, and machines (--json), what a training does; records --trace.
/// What it is given outlives it.
class TrainReporter {
 public:
  TrainReporter(const TrainingOptions& options, const CommonOptions& common);

  TrainingRunEvents events();

  /// Shows the bar.
  void begin();

  /// The end: the trace, and what the person wants to know.
  /// @param summary as TrainingRun::finish gives it.
  void finish(const Json& summary, const std::filesystem::path& report);

 private:
  StepTrace* trace(int step);
  void write_trace() const;

  const TrainingOptions& options_;
  const CommonOptions& common_;
  std::optional<ProgressBar> bar_;  ///< after begin()
  std::vector<std::unique_ptr<StepTrace>> traces_;
};

}  // namespace sdx
