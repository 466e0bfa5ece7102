#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "sdx/training/training_identity.h"
#include "sdx/util/json.h"

namespace sdx {

/// A setting that decides the vectors.
///
/// To add one: a row whose value for a default TrainingSpec is what happened before there was the
/// setting. Older records lack the key, and so mean that. To rename one: its old key goes to
/// `former`.
struct IdentitySetting {
  std::string_view key;
  Json (*value)(const TrainingSpec& spec);  ///< null: decides nothing with the other settings
  bool is_fatal = false;                    ///< vectors of another value cannot be gone on with
  std::string_view former = {};             ///< the key in older records; empty: the same
};

/// All of them, in the order of messages.
std::span<const IdentitySetting> identity_settings();

/// The settings of an identity's JSON.
/// @throws LaterVersionError for a key that is in no row.
std::map<std::string, std::string> read_settings(const Json& json,
                                                 std::span<const IdentitySetting> rows,
                                                 const std::string& where);

/// Adds a line to `difference` for each setting that differs.
void compare_settings(const std::map<std::string, std::string>& then,
                      const std::map<std::string, std::string>& now,
                      std::span<const IdentitySetting> rows, IdentityDifference& difference);

}  // namespace sdx
