#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sdx/training/training_identity.h"
#include "sdx/training/training_summary.h"
#include "sdx/util/failure.h"

namespace sdx {

/// The record of a person's training: `people/<Name>/record.json`.
struct MemberRecord {
  TrainingIdentity identity;              ///< portraits_hash: of the files, see hash_of_portraits()
  std::optional<TrainingSummary> result;  ///< nothing before the first training has ended
  std::string embedding_hash;             ///< SHA-256 of the embedding's file; empty before
  std::optional<Failure> failure;         ///< of the last try
};

/// SHA-256 over names and contents of the files of a folder, as load_portraits sees them. Changes
/// whenever a picture is added, taken away, renamed or edited.
std::string hash_of_portraits(const std::filesystem::path& folder);

/// Reads a record of this version, or of commit 4ce8870 and before.
/// @return nothing if there is no record, or a damaged one.
/// @throws LaterVersionError for a record of a later version: it must not be replaced.
std::optional<MemberRecord> read_record(const std::filesystem::path& person);

/// @throws as write_file_atomically.
void write_record(const std::filesystem::path& person, const MemberRecord& record);

/// The reason why a person must be trained: "is new", "the pictures are others than before", …;
/// nothing if the embedding that is there is the one that `now` asks for.
std::optional<std::string> why_train(const std::optional<MemberRecord>& record,
                                     const TrainingIdentity& now,
                                     const std::filesystem::path& embedding_file);

}  // namespace sdx
