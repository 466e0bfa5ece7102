#pragma once

#include <string>

#include "sdx/dataset/subject.h"
#include "sdx/model/model_options.h"
#include "sdx/training/run_folder.h"
#include "sdx/training/training_run.h"
#include "sdx/util/enum_text.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// Where a training ends.
enum class StopChoice {
  kAuto,   ///< where the loss on the fixed batch has settled
  kNever,  ///< after all steps
};

template <>
inline constexpr std::array kEnumTexts<StopChoice> = {EnumText{StopChoice::kAuto, "auto"},
                                                      EnumText{StopChoice::kNever, "never"}};

/// The options of a training, as a person gives them: on the command line, in a configuration, in a
/// run's record or for a team.
struct TrainingOptions {
  std::string portraits;  ///< folder
  SubjectOptions subject;
  InversionOptions inversion;
  TrainerOptions trainer;
  MemoryChoice memory = MemoryChoice::kAuto;
  std::string preset = "balanced";
  int exact_steps = 0;  ///< 0: until it is done
  StopChoice stop = StopChoice::kAuto;
  KeepPolicy keep = KeepPolicy::kBest;
  std::string embeddings = "embeddings";  ///< folder for the embedding
  std::string runs = "runs";              ///< folder in which the run gets its own
  bool force = false;                     ///< replace an embedding or a run of the same name
  std::string resume;                     ///< a run's folder; empty: a new training
  bool resume_anyway = false;
  std::string trace_file;  ///< empty: none
  int trace_steps = 1;
};

/// The table of a training.
const SettingsTable<TrainingOptions>& training_settings();

/// How a person's portraits are looked at, for commands that train nobody.
struct FaceOptions {
  std::string detector;  ///< YuNet's file; empty: see FaceFinder::installed()
  std::string network;   ///< folder; empty: see FaceNetwork::load_installed()
};
const SettingsTable<FaceOptions>& face_settings();

/// The presets, the quickest first.
std::vector<std::string> preset_names();

/// Takes the values of a preset, `presets/<name>.json` in the data folder: keys of
/// training_settings().
/// @throws SettingError for a name that is none of fast, balanced, best.
void apply_preset(const std::string& name, TrainingOptions& options);

/// Options of a new training: the defaults, by the preset "balanced".
TrainingOptions default_training();

/// The training that the options describe.
/// @throws UsageError without portraits or a name; as load_templates.
TrainingSpec make_spec(const TrainingOptions& options, const ModelOptions& model = {});

}  // namespace sdx
