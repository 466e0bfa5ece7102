#include "sdx/roster/member_record.h"

#include <algorithm>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFile = "record.json";

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
    record.origin = {json_value<Json>(json, "settings", file),
                     json_value<std::string>(json, "model_hash", file),
                     json_value<std::string>(json, "portraits_hash", file)};
    record.result = json_value<Json>(json, "result", file, Json());
    record.embedding_hash = json_value<std::string>(json, "embedding_sha256", file, "");
    if (json.contains("failure")) {
      const Json& failure = json["failure"];
      record.failure = {static_cast<ExitCode>(json_value<int>(failure, "exit_code", file)),
                        json_value<std::string>(failure, "text", file)};
    }
    return record;
  } catch (const DataError&) {
    return std::nullopt;
  }
}

void write_record(const fs::path& person, const MemberRecord& record) {
  Json json = {{"settings", record.origin.options},
               {"model_hash", record.origin.model_hash},
               {"portraits_hash", record.origin.pictures_hash},
               {"result", record.result},
               {"embedding_sha256", record.embedding_hash}};
  if (record.failure) {
    json["failure"] = {{"exit_code", static_cast<int>(record.failure->code)},
                       {"text", record.failure->text}};
  }
  write_file_atomically(person / kFile, json.dump(2) + "\n");
}

std::optional<std::string> why_train(const std::optional<MemberRecord>& record,
                                     const TrainingOrigin& now, const fs::path& embedding_file) {
  if (!record || record->embedding_hash.empty()) return "is new";
  if (!fs::exists(embedding_file)) return embedding_file.filename().string() + " is gone";
  const OriginDifference difference = compare(record->origin, now);
  std::vector<std::string> reasons = difference.fatal;
  reasons.insert(reasons.end(), difference.other.begin(), difference.other.end());
  if (!reasons.empty()) return join(reasons, "; ");
  if (sha256_of_file(embedding_file) != record->embedding_hash) {
    return embedding_file.filename().string() + " is not the file that was written";
  }
  return std::nullopt;
}

}  // namespace sdx
