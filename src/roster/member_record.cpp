#include "sdx/roster/member_record.h"

#include <algorithm>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFile = "record.json";

TrainingIdentity identity_in(const Json& record, const fs::path& file) {
  if (record.contains("identity")) {
    return parse_training_identity(record["identity"].dump(), file.string());
  }
  TrainingIdentity identity =
      convert_option_record(json_value<Json>(record, "settings", file).dump(), file.string());
  identity.model_hash = json_value<std::string>(record, "model_hash", file);
  identity.portraits_hash = json_value<std::string>(record, "portraits_hash", file);
  // What a team's run was told of it never got here.
  identity.settings["dtype"] = "null";
  return identity;
}

}  // namespace

std::string hash_of_portraits(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const bool is_hidden = entry.path().filename().string().starts_with('.');
    if (!is_hidden && entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const fs::path& file : files) {
    text += file.filename().string() + '\0' + sha256_of_file(file) + '\n';
  }
  return sha256_hex(text);
}

std::optional<MemberRecord> read_record(const fs::path& person) {
  const fs::path file = person / kFile;
  if (!fs::exists(file)) return std::nullopt;
  try {
    const Json json = read_json_file(file);
    MemberRecord record;
    record.identity = identity_in(json, file);
    if (const Json result = json_value<Json>(json, "result", file, Json()); !result.is_null()) {
      record.result = parse_training_summary(result.dump(), file.string());
    }
    record.embedding_hash = json_value<std::string>(json, "embedding_sha256", file, "");
    if (json.contains("failure")) {
      const Json& failure = json["failure"];
      record.failure = {static_cast<ExitCode>(json_value<int>(failure, "exit_code", file)),
                        json_value<std::string>(failure, "text", file)};
    }
    return record;
  } catch (const LaterVersionError&) {
    throw;
  } catch (const DataError&) {
    return std::nullopt;
  }
}

void write_record(const fs::path& person, const MemberRecord& record) {
  Json json = {{"identity", Json::parse(to_json_text(record.identity))},
               {"result", record.result ? Json::parse(to_json_text(*record.result)) : Json()},
               {"embedding_sha256", record.embedding_hash}};
  if (record.failure) {
    json["failure"] = {{"exit_code", static_cast<int>(record.failure->code)},
                       {"text", record.failure->text}};
  }
  write_file_atomically(person / kFile, json.dump(2) + "\n");
}

std::optional<std::string> why_train(const std::optional<MemberRecord>& record,
                                     const TrainingIdentity& now, const fs::path& embedding_file) {
  if (!record || record->embedding_hash.empty()) return "is new";
  if (!fs::exists(embedding_file)) return embedding_file.filename().string() + " is gone";
  const IdentityDifference difference = compare(record->identity, now);
  std::vector<std::string> reasons = difference.fatal;
  reasons.insert(reasons.end(), difference.other.begin(), difference.other.end());
  if (!reasons.empty()) return join(reasons, "; ");
  if (sha256_of_file(embedding_file) != record->embedding_hash) {
    return embedding_file.filename().string() + " is not the file that was written";
  }
  return std::nullopt;
}

}  // namespace sdx
