#pragma once

#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/device/device.h"
#include "sdx/model/identity_network.h"
#include "sdx/training/run_folder.h"
#include "sdx/training/training_observer.h"
#include "sdx/training/training_spec.h"
#include "sdx/training/training_summary.h"

namespace sdx {

// The journey of a training: portraits → latents → steps → embedding, with all that is recorded on
// the way. Each part of it is a type of its own, which exists only when that part is done:
//
//     PreparedTraining prepared = prepare_training(…);            // portraits, latents, checkpoint
//     TrainedEmbedding trained = train(std::move(prepared), …);   // steps
//     TrainingSummary summary = trained.save(file, version);      // embedding, summary, report

class RunningTraining;  // in the source file

/// How a checkpoint that lies in the folder is treated.
enum class ResumePolicy {
  kStartAnew,  ///< nothing: it is removed
  kIfSame,     ///< go on if it is of the same training, else start anew
  kOnlySame,   ///< go on; one of another training is an error
  kAnyway,     ///< go on unless that makes no sense: another model, another number of vectors
};

/// A training that can take its first step, or its next one: portraits are encoded, and a
/// checkpoint is found or the folder is empty.
class PreparedTraining {
 public:
  PreparedTraining(PreparedTraining&&) noexcept;
  PreparedTraining& operator=(PreparedTraining&&) noexcept;
  ~PreparedTraining();

  /// Steps that an earlier process did.
  int steps_done() const;

 private:
  friend PreparedTraining prepare_training(const Bundle&, const ComputeTarget&, const Identities&,
                                           TrainingSpec, RunFolder&, ResumePolicy,
                                           TrainingObserver&);
  friend class RunningTraining;
  struct Parts;
  explicit PreparedTraining(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// Reads the portraits, encodes them or takes them from the folder's cache, and finds the
/// checkpoint to go on from.
/// @param bundle, folder, observer outlive the training.
/// @throws MissingInputError for too few portraits; with kOnlySame UsageError or DataError that
///         says how the checkpoint differs, and MissingInputError where there is none; as
///         check_train_encoders();
///         LaterVersionError for a checkpoint of a later version, unless it is to be removed; as
///         load_subject.
PreparedTraining prepare_training(const Bundle& bundle, const ComputeTarget& target,
                                  const Identities& identities, TrainingSpec spec,
                                  RunFolder& folder, ResumePolicy resume,
                                  TrainingObserver& observer);

/// A training whose last step is done, for whatever reason.
class TrainedEmbedding {
 public:
  TrainedEmbedding(TrainedEmbedding&&) noexcept;
  TrainedEmbedding& operator=(TrainedEmbedding&&) noexcept;
  ~TrainedEmbedding();

  StopReason reason() const;

  /// Steps that are done, those of an earlier process included.
  int steps() const;

  /// Writes a checkpoint, to go on from later.
  void save_checkpoint();

  /// Writes the last checkpoint, the embedding, summary.json and report.html.
  /// @param version of the program, for the embedding's metadata.
  TrainingSummary save(const std::filesystem::path& embedding_file, const std::string& version);

 private:
  friend class RunningTraining;
  TrainedEmbedding(std::unique_ptr<RunningTraining> run, StopReason reason);
  std::unique_ptr<RunningTraining> run_;
  StopReason reason_;
};

/// Takes steps until the training ends: see StopReason.
/// @param model outlives the result.
/// @throws as Inversion, and what a step, the judge or the observer throws.
TrainedEmbedding train(PreparedTraining training, const Inversion::Model& model);

/// The outcome of one of several trainings: one of the two members is there.
struct TrainingAttempt {
  std::optional<TrainedEmbedding> trained;
  std::exception_ptr failure;
};

/// The same for several that share passes of the UNet: see
/// train_together(std::vector<TrainerTask>). A failure of one stops no other.
/// @param sharing trainings that will share a pass, for the estimate of the memory.
/// @return one for each training, in their order.
std::vector<TrainingAttempt> train_together(std::vector<PreparedTraining> trainings,
                                            const Inversion::Model& model, int sharing);

}  // namespace sdx
