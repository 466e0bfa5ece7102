#include "sdx/model/import/schedule_choice.h"

#include <algorithm>
#include <vector>

#include "model/import/checkpoint.h"
#include "sdx/model/import/import.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr const char* kAuto = "auto";
constexpr const char* kZeroTerminalSnr = "ztsnr";
constexpr const char* kExpected =
    "words with commas between them: epsilon, v_prediction or sample; ztsnr; trailing, leading or "
    "linspace; scaled_linear or linear";

/// Whether a word was one of E's. Levels of EDM need numbers, which no word says.
template <NamedEnum E>
bool take_word(const std::string& word, const std::string& text, std::optional<E>& choice) {
  const std::optional<E> found = find_enum<E>(word);
  if (!found || word == "edm") return false;
  if (choice && *choice != *found) {
    throw SettingError(
        "schedule",
        "one of " + std::string(to_string(*choice)) + " and " + std::string(to_string(*found)),
        text);
  }
  choice = found;
  return true;
}

template <NamedEnum E>
void add_word(const std::optional<E>& choice, std::vector<std::string>& words) {
  if (choice) words.emplace_back(to_string(*choice));
}

}  // namespace

ScheduleChoice parse_schedule_choice(const std::string& text) {
  ScheduleChoice choice;
  for (std::string word : split_list(text, ',')) {
    std::ranges::replace(word, '-', '_');
    if (word == kAuto) continue;
    if (word == kZeroTerminalSnr) {
      choice.zero_terminal_snr = true;
    } else if (!take_word(word, text, choice.prediction) &&
               !take_word(word, text, choice.spacing) && !take_word(word, text, choice.betas)) {
      throw SettingError("schedule", kExpected, text);
    }
  }
  return choice;
}

std::string to_text(const ScheduleChoice& choice) {
  std::vector<std::string> words;
  add_word(choice.prediction, words);
  if (choice.zero_terminal_snr) words.emplace_back(kZeroTerminalSnr);
  add_word(choice.spacing, words);
  add_word(choice.betas, words);
  return words.empty() ? kAuto : join(words, ",");
}

std::optional<PredictionType> merge_prediction(const ImportOptions& options) {
  const std::optional<PredictionType>& more = options.schedule.prediction;
  if (!options.prediction || !more || *options.prediction == *more) {
    return options.prediction ? options.prediction : more;
  }
  throw UsageError("`schedule` " + to_text(options.schedule) + ": contradicts `prediction` " +
                   std::string(to_string(*options.prediction)));
}

void apply_schedule(const ImportOptions& options, ModelCheckpoint& checkpoint) {
  const ScheduleChoice& choice = options.schedule;
  NoiseScheduleConfig& schedule = checkpoint.noise_schedule;
  if (schedule.beta_schedule == BetaSchedule::kEdm) {
    const bool says_nothing =
        !options.prediction && !choice.zero_terminal_snr && !choice.spacing && !choice.betas;
    if (says_nothing) return;
    throw UsageError(
        std::string(options.prediction && !choice.prediction ? "`prediction`" : "`schedule`") +
        ": this model was trained on noise levels (EDM) and says all of its schedule "
        "itself; leave the setting out");
  }
  if (choice.zero_terminal_snr) schedule.zero_terminal_snr = true;
  if (choice.spacing) schedule.timestep_spacing = choice.spacing;
  if (choice.betas) schedule.beta_schedule = *choice.betas;
  if (choice.zero_terminal_snr && schedule.prediction_type == PredictionType::kEpsilon) {
    throw UsageError(
        "`schedule` ztsnr: a model of the noise (epsilon) cannot begin at pure noise; say "
        "v_prediction,ztsnr if it predicts the velocity");
  }
}

}  // namespace sdx
