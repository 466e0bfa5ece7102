#pragma once

#include <map>
#include <string>
#include <vector>

#include "sdx/model/bundle.h"
#include "sdx/training/training_spec.h"
#include "sdx/util/error.h"

namespace sdx {

/// Everything that decides the vectors that a training writes. Two trainings with equal identities
/// give equal vectors (on one machine, with one number of threads). An embedding with the same
/// identity need not be trained again, and a checkpoint with the same identity may be gone on from.
/// It holds nothing else: not the memory mode, the device, folders for results, or how often
/// checkpoints are kept. So a later version may add settings freely.
struct TrainingIdentity {
  /// Settings by key, each value in JSON: "lr" → 0.005, "init" → "a man". A missing key means the
  /// setting's default. `null` means that the value is unknown or decides nothing: it equals every
  /// other one.
  std::map<std::string, std::string> settings;
  std::string model_hash;  ///< Bundle::short_hash
  /// SHA-256 of what is learnt from: of the latents in a checkpoint, of the files in a team's
  /// record. The two are never compared with each other.
  std::string portraits_hash;
  /// SHA-256 of the sentences that were read from files, wherever these lie: `templates`,
  /// `previews`, and `names` where the start is "cross". A missing one is unknown, as in records of
  /// commit 4ce8870 and before, and equals every other one.
  std::map<std::string, std::string> contents;
  /// The type in which the models computed, "fp32", which decides the latents of a checkpoint.
  /// `dtype` may be auto, and that is another type on another device. Empty: unknown, and equal to
  /// every other one.
  std::string precision;

  bool operator==(const TrainingIdentity&) const = default;
};

/// @param portraits_hash see TrainingIdentity
/// @throws as read_prompt_file for the toolkit's own previews and names.
TrainingIdentity identify_training(const TrainingSpec& spec, const Bundle& bundle,
                                   const std::string& portraits_hash);

/// How a training differs from an earlier one, in sentences that name settings by key.
struct IdentityDifference {
  std::vector<std::string> fatal;  ///< the earlier vectors would mean nothing: another model, …
  std::vector<std::string> other;  ///< going on works, but gives another result than either alone

  bool is_none() const { return fatal.empty() && other.empty(); }
};

/// Compares the identity of a training now with that of an earlier one.
IdentityDifference compare(const TrainingIdentity& then, const TrainingIdentity& now);

/// A file that a later version of the toolkit made. Unlike a damaged file it must stay as it is.
class LaterVersionError : public DataError {
 public:
  using DataError::DataError;
};

/// One JSON object with its version, as records and checkpoints hold it: docs/formats.md.
std::string to_json_text(const TrainingIdentity& identity);

/// @param where the file that the text is from, for messages
/// @throws DataError if the text is no identity; LaterVersionError if its version is a later one,
/// or
///         if it holds a setting that this version does not know.
TrainingIdentity parse_training_identity(const std::string& json, const std::string& where);

/// The identity in a record or checkpoint of commit 4ce8870 and before. These held all options of
/// sdx-train by name. Text that looked like a number had become one: a `name` of 1.10 was written
/// as 1.1, and equals both now. The hashes are left empty.
/// @throws DataError if the text is no JSON object.
TrainingIdentity convert_option_record(const std::string& json, const std::string& where);

}  // namespace sdx
