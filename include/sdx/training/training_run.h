#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/dataset/subject.h"
#include "sdx/device/device.h"
#include "sdx/model/identities.h"
#include "sdx/training/run_folder.h"
#include "sdx/training/trainer.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// How much memory a step may take.
enum class MemoryChoice {
  kAuto,    ///< low where the estimate says that normal won't fit
  kNormal,  ///< GradientMemory::kNormal
  kLow,     ///< GradientMemory::kLow
};

template <>
inline constexpr std::array kEnumTexts<MemoryChoice> = {EnumText{MemoryChoice::kAuto, "auto"},
                                                        EnumText{MemoryChoice::kNormal, "normal"},
                                                        EnumText{MemoryChoice::kLow, "low"}};

/// What a training is to be, whoever asks for it.
struct TrainingSpec {
  std::filesystem::path portraits;  ///< folder
  SubjectOptions subject;
  std::vector<std::string> templates;  ///< sentences with {name} to learn from
  InversionOptions inversion;
  TrainerOptions trainer;
  MemoryChoice memory = MemoryChoice::kAuto;
  Json settings;  ///< all of this by its names on the command line, for records and comparisons
  std::map<std::string, std::string> notes;  ///< for the embedding's metadata
};

/// What a checkpoint that lies in the folder means.
enum class ResumePolicy {
  kStartAnew,  ///< nothing: it is removed
  kIfSame,     ///< go on if it is of the same training, else start anew
  kOnlySame,   ///< go on; one of another training is an error
  kAnyway,     ///< go on unless that makes no sense: another model, another number of vectors
};

/// What is told on the way; each may be empty.
struct TrainingRunEvents {
  std::function<void(const SubjectPortraits&)> portraits;  ///< as they were found
  std::function<void(const std::string&)> note;            ///< a sentence for who waits
  std::function<void(const Json&)> metrics;                ///< a line as metrics.jsonl has it
  /// After each step: how many are done, and the figures that matter ("loss 0.0312").
  std::function<void(int done, const std::string& figures)> step;
  std::function<bool()> stop_requested;
  std::function<StepTrace*(int step)> trace;
};

/// A training and its folder: portraits → latents → steps → embedding, with all that is recorded on
/// the way (metrics, previews, checkpoints, summary, report). The way of use: construct, begin(),
/// train() with task(), finish().
class TrainingRun {
 public:
  /// Reads the portraits, encodes them or takes them from the folder's cache, and looks for a
  /// checkpoint.
  /// @param bundle, folder, target outlive the run.
  /// @throws MissingInputError for too few portraits; with kOnlySame UsageError or DataError that
  ///         says how the checkpoint differs, and MissingInputError where there is none; as
  ///         load_subject.
  TrainingRun(const Bundle& bundle, const ComputeTarget& target, const Identities& identities,
              TrainingSpec spec, RunFolder& folder, ResumePolicy resume, TrainingRunEvents events);
  ~TrainingRun();
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  /// Makes the inversion and its judge; with MemoryChoice::kAuto after an estimate.
  /// @param model    outlives the run.
  /// @param together trainings of this size that will share a pass (train_together), for the
  ///        estimate.
  void begin(const Inversion::Model& model, int together = 1);

  /// For train(). Valid after begin().
  TrainerTask task();

  /// Steps that are done, those of an earlier process included.
  int steps() const;

  /// Writes a checkpoint, to go on from later.
  void pause();

  /// Writes the last checkpoint, the word, summary.json and report.html.
  /// @param version of the program, for the embedding's metadata.
  /// @return what summary.json holds.
  Json finish(StopReason reason, const std::filesystem::path& embedding_file,
              const std::string& version);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
