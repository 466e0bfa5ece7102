#pragma once

#include <string>
#include <vector>

#include "sdx/training/training_run.h"

namespace sdx {

/// What a training consists of before its first step.
struct PreparedTraining::Parts {
  Parts(const Bundle& used_bundle, const ComputeTarget& used_target, const Identities& known,
        TrainingSpec chosen_spec, RunFolder& in, TrainingObserver& watcher);

  void note(const std::string& sentence) const { observer.on_note(spec.inversion.name, sentence); }

  /// Reads the pictures, encodes them, and says what the training is.
  /// @throws as load_subject(), check_enough_portraits() and encode_portraits().
  void load_portraits();

  /// The checkpoint to go on from; without one the folder is cleared.
  /// @throws DataError, UsageError if it is one of another training, as `policy` says.
  void find_checkpoint(ResumePolicy policy);

  const Bundle& bundle;
  ComputeTarget target;
  const Identities& identities;
  TrainingSpec spec;
  RunFolder& folder;
  TrainingObserver& observer;
  std::vector<std::string> previews;  ///< prompts of the judge, with {name}

  SubjectPortraits subject;
  PortraitLatents latents;
  TrainingIdentity identity;
  TrainingState state;  ///< of the checkpoint, if there is one

 private:
  void warn_of_photographs() const;
};

}  // namespace sdx
