#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/dataset/subject.h"
#include "sdx/model/model_options.h"
#include "sdx/training/inversion.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// As many prompts for previews as the toolkit has.
inline constexpr int kMostPreviews = 4;

/// When training ends and how often it looks at itself. The most steps are InversionOptions::steps.
struct TrainerOptions {
  bool stop_when_settled = true;  ///< end where the loss on the fixed batch has settled
  int patience = 100;             ///< steps over which it must be flat (has_settled's window)
  int min_steps = 100;            ///< never settle before
  int milestone_steps = 50;       ///< between two evaluations by the judge; 0: only at the end
  /// Preview pictures of an evaluation, by which it is judged: the first ones of load_previews().
  /// 0: no evaluations, the last vectors are kept.
  int previews = kMostPreviews;
};

/// How much memory a step may take.
enum class MemoryChoice {
  kAuto,    ///< low where the estimate says that normal won't fit
  kNormal,  ///< GradientMemory::kNormal
  kLow,     ///< GradientMemory::kLow
};

template <>
inline constexpr std::array kEnumTexts<MemoryChoice> = {EnumText{MemoryChoice::kAuto, "auto"},
                                                        EnumText{MemoryChoice::kNormal, "normal"},
                                                        EnumText{MemoryChoice::kLow, "low"}};

/// The full description of a training.
struct TrainingSpec {
  std::filesystem::path portraits;  ///< folder
  SubjectOptions subject;
  std::vector<std::string> templates;  ///< sentences with {name} to learn from
  InversionOptions inversion;
  TrainerOptions trainer;
  MemoryChoice memory = MemoryChoice::kAuto;
  ModelOptions model;  ///< as it was asked for: dtype may be "auto", for what suits the device
  std::map<std::string, std::string> notes;  ///< for the embedding's metadata
  std::string configuration;  ///< what config.json shall hold, JSON text of all settings
};

}  // namespace sdx
