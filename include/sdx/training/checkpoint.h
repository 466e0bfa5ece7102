#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/training/inversion.h"
#include "sdx/training/judge.h"
#include "sdx/training/stop_rule.h"
#include "sdx/training/training_identity.h"

namespace sdx {

/// An evaluation on the way.
struct Milestone {
  int step = 0;
  Evaluation evaluation;
};

/// The whole state of a training after some steps. A training that resumes from it gives the same
/// bits as one that never stopped.
struct TrainingState {
  InversionState inversion;
  std::vector<Measurement> curve;  ///< of the loss on the fixed batch
  std::vector<Milestone> milestones;
  int best_step = 0;              ///< of the milestone with the highest score
  EmbeddingVectors best_vectors;  ///< as they were then; not defined before
  int skipped_steps = 0;          ///< their loss was not finite
};

/// The state of a training, and the identity of that training: no other one can use the checkpoint.
struct Checkpoint {
  TrainingState state;
  TrainingIdentity identity;
};

/// SHA-256 of what training sees of the portraits.
std::string hash_portraits(const PortraitLatents& portraits);

/// A step as files are named by it, 6 digits: "000050".
std::string step_name(int step);

/// Whether a file's name without its ending is one that step_name gives.
bool is_step_name(std::string_view name);

/// Writes `<folder>/<step_name>.safetensors`, atomically. Format: docs/formats.md.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// Reads a checkpoint of this version, or of commit 4ce8870 and before. Tensors and figures of
/// milestones that this version does not know are passed over; what can be done without has a
/// default.
/// @throws DataError naming file and key for a damaged file or another format; LaterVersionError.
Checkpoint read_checkpoint(const std::filesystem::path& file);

/// The newest checkpoint of a folder that is whole; `warn` is called for each damaged one that is
/// newer. Nothing if there is none.
/// @throws LaterVersionError if a later version made the newest one: it is not for us to go behind
///         it.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder,
                                            const std::function<void(const std::string&)>& warn);

/// Removes all but the newest two checkpoints: the newest may turn out to be damaged.
void prune_checkpoints(const std::filesystem::path& folder);

}  // namespace sdx
