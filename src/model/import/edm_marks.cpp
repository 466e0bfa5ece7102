#include "model/import/edm_marks.h"

#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr double kPlaygroundData = 0.5;   ///< the deviation of its training's latents
constexpr double kPlaygroundScale = 0.5;  ///< of its autoencoder
constexpr double kCosXlHighest = 120;     ///< where its file does not say it

/// The numbers of a tensor of `count` values, of whatever shape.
std::vector<double> read_numbers(const TensorMap& tensors, const std::string& name,
                                 std::int64_t count, const std::string& file) {
  const auto found = tensors.find(name);
  const std::int64_t there = found == tensors.end() ? 0 : found->second.numel();
  if (there != count) {
    throw DataError(file + ": tensor \"" + name + "\": expected " + std::to_string(count) +
                    (count == 1 ? " value" : " values") + ", found " +
                    (there == 0 ? "none" : std::to_string(there)));
  }
  const at::Tensor values = found->second.to(at::kDouble).reshape({count}).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + count};
}

/// Refuses levels of which no schedule can be made, before anything is written.
void require_schedule(const EdmMarks& marks, const std::string& file) {
  NoiseScheduleConfig config;
  config.beta_schedule = BetaSchedule::kEdm;
  config.edm = marks.levels;
  config.prediction_type = marks.prediction_type;
  try {
    const NoiseSchedule schedule(config);
  } catch (const DataError& error) {
    throw DataError(file + ": " + error.what());
  }
}

std::string describe(const EdmLevels& levels) {
  return "Trained on noise levels (EDM) from " + std::to_string(levels.lowest) + " to " +
         std::to_string(levels.highest) + ".";
}

}  // namespace

std::optional<EdmMarks> read_edm_marks(const TensorMap& tensors, const std::string& file) {
  constexpr std::int64_t kChannels = 4;
  EdmMarks marks;
  if (holds(tensors, "edm_mean") || holds(tensors, "edm_std")) {
    marks.levels = {0.002, 80, kPlaygroundData};
    marks.latent_mean = read_numbers(tensors, "edm_mean", kChannels, file);
    marks.latent_deviation = read_numbers(tensors, "edm_std", kChannels, file);
  } else if (holds(tensors, "edm_vpred.sigma_max") || holds(tensors, "edm_vpred.sigma_min")) {
    marks.levels = {0.002, kCosXlHighest, 1};
    marks.prediction_type = PredictionType::kVelocity;
    if (holds(tensors, "edm_vpred.sigma_max")) {
      marks.levels.highest = read_numbers(tensors, "edm_vpred.sigma_max", 1, file).front();
    }
    if (holds(tensors, "edm_vpred.sigma_min")) {
      marks.levels.lowest = read_numbers(tensors, "edm_vpred.sigma_min", 1, file).front();
    }
  } else {
    return std::nullopt;
  }
  require_schedule(marks, file);
  return marks;
}

void apply_edm_marks(const EdmMarks& marks, ModelCheckpoint& checkpoint) {
  NoiseScheduleConfig& schedule = checkpoint.noise_schedule;
  schedule.beta_schedule = BetaSchedule::kEdm;
  schedule.edm = marks.levels;
  schedule.prediction_type = marks.prediction_type;
  schedule.zero_terminal_snr = false;
  checkpoint.remarks.push_back(describe(marks.levels));
  if (marks.latent_mean.empty()) return;
  checkpoint.latent_scale = kPlaygroundScale;
  checkpoint.latent_mean = marks.latent_mean;
  checkpoint.latent_deviation = marks.latent_deviation;
}

NoiseScheduleConfig read_edm_schedule(const DiffusersConfig& config,
                                      std::vector<std::string>& remarks) {
  NoiseScheduleConfig schedule;
  schedule.beta_schedule = BetaSchedule::kEdm;
  schedule.edm.lowest = config.get<double>("sigma_min", 0.002);
  schedule.edm.highest = config.get<double>("sigma_max", 80);
  schedule.edm.data = config.get<double>("sigma_data", 0.5);
  if (!(schedule.edm.lowest > 0)) config.refuse("sigma_min", "a number above 0");
  if (!(schedule.edm.highest > schedule.edm.lowest)) {
    config.refuse("sigma_max", "more than sigma_min");
  }
  if (!(schedule.edm.data > 0)) config.refuse("sigma_data", "a number above 0");
  config.expect("rho", 7.0);
  const auto prediction = config.get<std::string>("prediction_type", "epsilon");
  if (prediction != "epsilon" && prediction != "v_prediction") {
    config.refuse("prediction_type", "epsilon or v_prediction");
  }
  schedule.prediction_type =
      prediction == "epsilon" ? PredictionType::kEdm : PredictionType::kVelocity;
  remarks.push_back(describe(schedule.edm));
  if (config.get<std::string>("sigma_schedule", "karras") == "exponential") {
    remarks.push_back(
        "Its scheduler spaces the levels exponentially: `schedule` exponential does so when "
        "images are made; karras is the default here.");
  }
  return schedule;
}

}  // namespace sdx
