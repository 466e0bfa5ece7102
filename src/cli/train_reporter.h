#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/run_folder.h"
#include "cli/train_options.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/training/trainer.h"

namespace sdx {

/// Tells what a training does: the person at the terminal, machines (--json) and the run's folder.
/// Everything it is given outlives it.
class TrainReporter {
 public:
  TrainReporter(const Inversion& inversion, const TrainOptions& options, RunFolder& run,
                const TrainingOrigin& origin, std::vector<std::string> prompts,
                const CommonOptions& common);

  TrainerEvents events();

  /// The end: trace, summary.json, report.html, and what the person wants to know.
  void finish(const TrainingState& state, StopReason reason,
              const std::filesystem::path& embedding_file);

 private:
  void step(const StepResult& result);
  void milestone(const Milestone& one, const std::vector<Image>& pictures);
  void metrics(const Json& line);
  StepTrace* trace(int step);
  void write_trace() const;

  const Inversion& inversion_;
  const TrainOptions& options_;
  RunFolder& run_;
  const TrainingOrigin& origin_;
  std::vector<std::string> prompts_;  ///< of the previews
  const CommonOptions& common_;
  ProgressBar bar_;
  std::string figure_;
  std::string likeness_;
  std::vector<std::unique_ptr<StepTrace>> traces_;
};

}  // namespace sdx
