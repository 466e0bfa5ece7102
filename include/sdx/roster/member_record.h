#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sdx/training/checkpoint.h"
#include "sdx/util/failure.h"
#include "sdx/util/json.h"

namespace sdx {

/// What is known of a person's training: `people/<Name>/record.json`.
struct MemberRecord {
  TrainingOrigin origin;           ///< pictures_hash: of the files, see hash_of_portraits()
  Json result;                     ///< what TrainingRun::finish gave; null before
  std::string embedding_hash;      ///< SHA-256 of the word's file; empty before
  std::optional<Failure> failure;  ///< of the last try
};

/// SHA-256 over names and contents of the files of a folder, as load_portraits sees them. Changes
/// whenever a picture is added, taken away, renamed or edited.
std::string hash_of_portraits(const std::filesystem::path& folder);

/// Nothing if there is no record, or a damaged one.
std::optional<MemberRecord> read_record(const std::filesystem::path& person);

/// @throws as write_file_atomically.
void write_record(const std::filesystem::path& person, const MemberRecord& record);

/// Why a person must be trained: "is new", "the pictures are others than before", …; nothing if the
/// word that is there is what `now` asks for.
std::optional<std::string> why_train(const std::optional<MemberRecord>& record,
                                     const TrainingOrigin& now,
                                     const std::filesystem::path& embedding_file);

}  // namespace sdx
