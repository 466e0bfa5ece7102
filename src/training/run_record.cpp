#include "training/run_record.h"

#include <charconv>
#include <limits>
#include <sstream>

#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

Json read_object(const fs::path& file) {
  if (!fs::exists(file)) return Json::object();
  Json json = read_json_file(file);
  if (!json.is_object()) throw DataError(file.string() + ": expected one JSON object");
  return json;
}

void add_line(RunRecord& run, const Json& line) {
  const auto step = line.find("step");
  if (step == line.end() || !json_holds<int>(*step)) return;
  const auto add = [&](const char* key, Series& series) {
    const auto value = line.find(key);
    if (value != line.end() && value->is_number()) series[step->get<int>()] = value->get<double>();
  };
  add("fixed_loss", run.fixed_loss);
  add("learning_rate", run.learning_rate);
  add("gradient_norm", run.gradient_norm);
  add("vector_norm", run.vector_norm);
  add("likeness", run.likeness);
  add("obedience", run.obedience);
  add("score", run.score);
  const auto by_portrait = line.find("likeness_by_portrait");
  if (by_portrait == line.end() || !by_portrait->is_array()) return;
  std::vector<double>& values = run.likeness_by_portrait[step->get<int>()];
  values.clear();
  for (const Json& value : *by_portrait) {
    values.push_back(value.is_number() ? value.get<double>()
                                       : std::numeric_limits<double>::quiet_NaN());
  }
}

/// What lies where in the sheets. A folder of an earlier version does not say it.
void read_sheets(RunRecord& run, const fs::path& file) {
  const Json sheets = read_object(file);
  if (sheets.empty()) return;
  for (const Json& one : json_value<std::vector<Json>>(sheets, "portraits", file)) {
    const auto place = json_value<std::vector<int>>(one, "place", file);
    if (place.size() != 4) {
      throw DataError(file.string() + ": key \"place\": expected x, y, width and height, found " +
                      describe_json(Json(place)));
    }
    run.crops.push_back(
        {json_value<std::string>(one, "file", file), {place[0], place[1], place[2], place[3]}});
  }
  run.preview_prompts = json_value<std::vector<std::string>>(sheets, "previews", file);
}

void read_metrics(RunRecord& run, const fs::path& file) {
  if (!fs::exists(file)) return;
  std::istringstream lines(read_file(file));
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_object()) {
      add_line(run, line);
    } else if (!lines.eof()) {  // the last line may be half-written: the run goes on or was killed
      ++run.unread_lines;
    }
  }
}

void find_previews(RunRecord& run, const fs::path& folder) {
  if (!fs::is_directory(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().stem();
    int step = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
    const bool is_step = error == std::errc() && end == name.data() + name.size();
    if (is_step && entry.path().extension() == ".png") run.previews[step] = entry.path();
  }
}

}  // namespace

RunRecord read_run(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw MissingInputError(folder.string() + ": no such folder; a run's is runs/NAME");
  }
  RunRecord run;
  run.config = read_object(folder / "config.json");
  run.summary = read_object(folder / "summary.json");
  read_metrics(run, folder / "metrics.jsonl");
  const auto best = run.summary.find("best_step");
  if (best != run.summary.end() && json_holds<int>(*best)) run.best_step = best->get<int>();
  if (fs::exists(folder / "portraits.png")) run.portraits = folder / "portraits.png";
  find_previews(run, folder / "previews");
  read_sheets(run, folder / "sheets.json");
  return run;
}

}  // namespace sdx
