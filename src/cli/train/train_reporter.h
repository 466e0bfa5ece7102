#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/training/training_observer.h"
#include "sdx/training/training_options.h"
#include "sdx/training/training_summary.h"

namespace sdx {

/// The figures of a training that stand behind a progress bar: "loss 0.0312  likeness 0.71".
class TrainingFigures {
 public:
  void take(const Measurement& one);
  void take(const Milestone& one);
  std::string text() const { return loss_ + likeness_; }

 private:
  std::string loss_;
  std::string likeness_;
};

/// How often a training is still evaluated: at the start, every so many steps and at the end.
/// @param every steps between two evaluations; 0: only at the end
int count_evaluations(int done, int most, int every);

/// What a terminal shows of a milestone: the file with its previews, and the pictures themselves
/// where the terminal can show some. A line, without its end.
std::string describe_previews(const std::filesystem::path& run_folder, const Milestone& milestone);

/// Shows the person at the terminal, and machines (--json), what a training does; records --trace.
/// What it is given outlives it.
class TrainReporter : public TrainingObserver {
 public:
  /// @param trainer    how the training goes on, which tells its evaluations and its end
  /// @param run_folder where the training leaves its previews
  TrainReporter(const TrainingOptions& options, const CommonOptions& common,
                const TrainerOptions& trainer, std::filesystem::path run_folder);

  /// The end: the trace, and what the person wants to know.
  void finish(const TrainingSummary& summary, const std::filesystem::path& report);

  void on_portraits(const std::string& name, const SubjectPortraits& subject) override;
  void on_note(const std::string& name, const std::string& sentence) override;
  void on_start(const std::string& name, int done, int most) override;
  void on_step(const std::string& name, const StepResult& result, int done, int most) override;
  void on_measurement(const std::string& name, const Measurement& one) override;
  void on_milestone(const std::string& name, const Milestone& one,
                    const std::vector<Image>& images) override;
  void on_metrics(const std::string& name, const std::string& line) override;
  StepTrace* trace(const std::string& name, int step) override;
  bool stop_requested() override;

 private:
  void write_trace() const;

  const TrainingOptions& options_;
  const CommonOptions& common_;
  const TrainerOptions& trainer_;
  std::filesystem::path run_folder_;
  std::optional<ProgressBar> bar_;  ///< from the first step to the last
  TrainingFigures figures_;
  std::vector<std::unique_ptr<StepTrace>> traces_;
};

}  // namespace sdx
