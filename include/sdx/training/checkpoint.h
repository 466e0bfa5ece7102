#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sdx/training/inversion.h"
#include "sdx/training/judge.h"
#include "sdx/training/stop_rule.h"
#include "sdx/util/json.h"

namespace sdx {

/// A word as it was judged on its way.
struct Milestone {
  int step = 0;
  Verdict verdict;
};

/// All that a training is after some steps: with it, going on gives the same bits as never having
/// stopped.
struct TrainingState {
  InversionState inversion;
  std::vector<Measurement> curve;  ///< of the loss on the fixed batch
  std::vector<Milestone> milestones;
  int best_step = 0;              ///< of the milestone with the highest score
  EmbeddingVectors best_vectors;  ///< as they were then; not defined before
  int skipped_steps = 0;          ///< their loss was not finite
};

/// What a training is made from: a checkpoint is of use to no other one.
struct TrainingOrigin {
  Json options;               ///< by their names on the command line
  std::string model_hash;     ///< Bundle::short_hash
  std::string pictures_hash;  ///< SHA-256 of the latents (and masks)
};

struct Checkpoint {
  TrainingState state;
  TrainingOrigin origin;
};

/// SHA-256 of what training sees of the portraits.
std::string hash_of(const PortraitLatents& portraits);

/// A step as files are named by it, 6 digits: "000050".
std::string step_name(int step);

/// Writes `<folder>/<step_name>.safetensors`, atomically. Format: docs/formats.md.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// @throws DataError for a damaged file or another format.
Checkpoint read_checkpoint(const std::filesystem::path& file);

/// The newest checkpoint of a folder that is whole; `warn` is told of each damaged one that is
/// newer. Nothing if there is none.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder,
                                            const std::function<void(const std::string&)>& warn);

/// Removes all but the newest two checkpoints: the newest may turn out to be damaged.
void prune_checkpoints(const std::filesystem::path& folder);

/// How a training differs from the one that a checkpoint is from.
struct OriginDifference {
  std::vector<std::string> fatal;  ///< the vectors would mean nothing
  std::vector<std::string> other;  ///< going on works, but gives another result than either alone
};
OriginDifference compare(const TrainingOrigin& checkpoint, const TrainingOrigin& now);

}  // namespace sdx
