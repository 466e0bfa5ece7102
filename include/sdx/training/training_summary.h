#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "sdx/training/trainer.h"

namespace sdx {

/// A quantity at the start of a training, and of the embedding that is kept.
struct BeforeAfter {
  double before = 0;
  double after = 0;
};

/// The outcome of a training.
struct TrainingSummary {
  std::string name;                 ///< of the embedding, without brackets
  std::string model;                ///< as it was asked for
  std::filesystem::path embedding;  ///< the file that was written
  int steps = 0;                    ///< done, those that were skipped included
  StopReason reason = StopReason::kAllSteps;
  int best_step = 0;      ///< after which the vectors were as they are kept
  int skipped_steps = 0;  ///< their loss was not finite
  std::string start;      ///< what the start vectors say
  double seconds = 0;     ///< of this process, without reading the portraits
  double peak_memory_gb =
      0;  ///< of this process, of the GPU's where it computes on one; in 1e9 bytes
  std::optional<BeforeAfter> loss;      ///< on the fixed batch; nothing if it was never measured
  std::optional<BeforeAfter> likeness;  ///< 0 … 1; nothing where it could not be told
};

/// What summary.json holds: one JSON object, indented, without a line's end. Keys: docs/formats.md.
std::string to_json_text(const TrainingSummary& summary);

/// Reads that again. A key that is missing has its default; unknown ones are passed over.
/// @param where the file that the text is from, for messages
/// @throws DataError if the text is no JSON object, or a value has another type.
TrainingSummary parse_training_summary(const std::string& json, const std::string& where);

}  // namespace sdx
