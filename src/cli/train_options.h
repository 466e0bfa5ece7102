#pragma once

#include <string>

#include "sdx/cli/options.h"
#include "sdx/training/run_folder.h"
#include "sdx/training/training_run.h"

namespace sdx {

/// What sdx-train was told.
struct TrainOptions {
  std::string folder;
  SubjectOptions subject;
  InversionOptions inversion;
  TrainerOptions trainer;
  MemoryChoice memory = MemoryChoice::kAuto;
  std::string preset = "balanced";
  int exact_steps = 0;  ///< 0: until it is done
  std::string stop = "auto";
  KeepPolicy keep = KeepPolicy::kBest;
  std::string embeddings = "embeddings";
  std::string runs = "runs";
  bool force = false;
  std::string resume;  ///< a run's folder; its config.json is read as --config
  bool resume_anyway = false;
  std::string trace_file;
  int trace_steps = 1;
};

/// Precedence: preset < --config (of the run, with --resume) < command line.
/// @return the effective options, for config.json.
/// @throws UsageError, MissingInputError; TextAnswer.
Json parse_train_options(int argc, char** argv, TrainOptions& options, CommonOptions& common);

/// @param settings what parse_train_options() gave.
/// @throws as load_templates.
TrainingSpec spec_of(const TrainOptions& options, const Json& settings);

}  // namespace sdx
