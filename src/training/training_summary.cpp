#include "sdx/training/training_summary.h"

#include "sdx/util/error.h"
#include "sdx/util/json.h"

namespace sdx {

namespace {

void add(Json& json, const char* key, const std::optional<BeforeAfter>& value) {
  if (!value) return;
  json[std::string(key) + "_before"] = value->before;
  json[std::string(key) + "_after"] = value->after;
}

/// Nothing where it is absent, or was no number that JSON can write.
std::optional<BeforeAfter> find(const Json& json, const std::string& key) {
  const auto before = json.find(key + "_before");
  const auto after = json.find(key + "_after");
  const bool is_there =
      before != json.end() && after != json.end() && before->is_number() && after->is_number();
  if (!is_there) return std::nullopt;
  return BeforeAfter{before->get<double>(), after->get<double>()};
}

}  // namespace

std::string to_json_text(const TrainingSummary& summary) {
  Json json = {{"name", summary.name},
               {"model", summary.model},
               {"embedding", summary.embedding.string()},
               {"steps", summary.steps},
               {"stopped_because", to_string(summary.reason)},
               {"best_step", summary.best_step},
               {"skipped_steps", summary.skipped_steps},
               {"start", summary.start},
               {"seconds", summary.seconds},
               {"peak_memory_gb", summary.peak_memory_gb}};
  add(json, "loss", summary.loss);
  add(json, "likeness", summary.likeness);
  return json.dump(2);
}

TrainingSummary parse_training_summary(const std::string& text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw DataError(where + ": expected a training's summary, a JSON object");
  TrainingSummary summary;
  summary.name = json_value<std::string>(json, "name", where, "");
  summary.model = json_value<std::string>(json, "model", where, "");
  summary.embedding = json_value<std::string>(json, "embedding", where, "");
  summary.steps = json_value<int>(json, "steps", where, 0);
  summary.reason =
      find_enum<StopReason>(json_value<std::string>(json, "stopped_because", where, ""))
          .value_or(summary.reason);
  summary.best_step = json_value<int>(json, "best_step", where, 0);
  summary.skipped_steps = json_value<int>(json, "skipped_steps", where, 0);
  summary.start = json_value<std::string>(json, "start", where, "");
  summary.seconds = json_value<double>(json, "seconds", where, 0);
  summary.peak_memory_gb = json_value<double>(json, "peak_memory_gb", where, 0);
  summary.loss = find(json, "loss");
  summary.likeness = find(json, "likeness");
  return summary;
}

}  // namespace sdx
