#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sdx/image/image.h"
#include "sdx/util/json.h"

namespace sdx {

/// A quantity by the step after which it was measured; a step that was done again counts once.
using Series = std::map<int, double>;

/// A portrait in the sheet of all.
struct SheetPortrait {
  std::string file;  ///< its name
  Rect place;
};

/// What a run's folder says of the run.
struct RunRecord {
  Json config = Json::object();   ///< config.json
  Json summary = Json::object();  ///< summary.json
  Series fixed_loss;
  Series learning_rate;
  Series gradient_norm;
  Series vector_norm;
  Series likeness;
  Series obedience;
  Series score;
  /// Of each portrait, in the order of `crops`, at the milestones that have it; NaN: no face in it.
  std::map<int, std::vector<double>> likeness_by_portrait;
  std::optional<int> best_step;  ///< of the summary, else the last milestone that was called best
  int unread_lines = 0;          ///< of metrics.jsonl that are not JSON, but for the last one
  std::filesystem::path portraits;                ///< empty: there are none
  std::map<int, std::filesystem::path> previews;  ///< by step
  std::vector<SheetPortrait> crops;               ///< in `portraits`; empty where it is not known
  std::vector<std::string> preview_prompts;       ///< from left to right in each of `previews`
};

/// Reads what is there. @throws MissingInputError, DataError, IoError.
RunRecord read_run(const std::filesystem::path& folder);

}  // namespace sdx
