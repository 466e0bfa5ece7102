// Walks on noise levels against diffusers' EDMEulerScheduler and EDMDPMSolverMultistepScheduler
// 0.42.1 (scripts/parity/make_edm_goldens.py).

#include <ATen/ops/sin.h>

#include <cmath>
#include <filesystem>

#include "sdx/scheduler/sample_along.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/text.h"
#include "support/sampler_golden.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace {

const sdx::TensorMap& golden() {
  static const sdx::Safetensors content =
      sdx::map_safetensors(std::filesystem::path(SDX_TEST_DATA) / "layouts/edm-tiny.safetensors");
  return content.tensors;
}

sdx::NoiseScheduleConfig make_config(const std::string& model) {
  sdx::NoiseScheduleConfig config;
  config.beta_schedule = sdx::BetaSchedule::kEdm;
  const bool is_playground = model == "playground";
  config.edm = is_playground ? sdx::EdmLevels{0.002, 80, 0.5} : sdx::EdmLevels{0.002, 120, 1};
  config.prediction_type =
      is_playground ? sdx::PredictionType::kEdm : sdx::PredictionType::kVelocity;
  return config;
}

}  // namespace

TEST_CASE("scheduler: models of noise levels walk the trajectories of diffusers", "[scheduler]") {
  int walks = 0;
  for (const auto& [key, expected] : golden()) {
    const std::vector<std::string> parts = sdx::split_list(key, '.');
    if (parts.front() != "walk" || parts.size() != 5) continue;
    INFO(key);
    ++walks;
    const sdx::NoiseSchedule schedule(make_config(parts[1]));
    sdx::SamplerSettings settings = sdx::test::make_settings(
        sdx::find_enum<sdx::SamplerKind>(parts[2]).value(), std::stoi(parts[4]));
    settings.prediction_type = schedule.config().prediction_type;
    // Karras' levels are what such a model has by default.
    if (parts[3] != "karras") settings.schedule = sdx::ScheduleKind::kExponential;
    const at::Tensor times = golden().at(key + ".times");
    const auto points = sdx::sampling_points(schedule, settings);
    // diffusers begins at noise × level, which we scale down by the whole deviation there.
    const at::Tensor start = golden().at("walk.start").to(at::kDouble) * points.front().sigma;
    std::int64_t asked = 0;
    double worst = 0;
    double worst_time = 0;
    sdx::sample_along(
        schedule, settings, points, 0, start,
        [&](const at::Tensor& sample, const sdx::SamplingPoint& point, int) {
          const double time = schedule.network_time(point.timestep);
          worst_time = std::max(worst_time, std::abs(times[asked++].item<double>() - time));
          return sdx::predicted_original(sample, at::sin(sample * 0.7 + time * 1.3) * 0.9, point,
                                         settings.prediction_type);
        },
        [](int) { return at::Tensor(); },
        [&](int done, const at::Tensor& sample) {
          worst =
              std::max(worst, sdx::test::max_difference(sample, expected.narrow(0, done - 1, 1)));
        });
    CHECK(asked == times.numel());
    CHECK(worst < 1e-4);
    CHECK(worst_time < 1e-5);
  }
  CHECK(walks == 16);
}

TEST_CASE("scheduler: a schedule of noise levels is evenly spaced in their logarithm") {
  const sdx::NoiseSchedule schedule(make_config("playground"));
  // Levels are those of the training over the deviation of its latents.
  CHECK(std::abs(schedule.level(0) - 0.004) < 1e-12);
  CHECK(std::abs(schedule.level(999) - 160) < 1e-9);
  CHECK(std::abs(schedule.timestep_of_level(std::sqrt(0.004 * 160)) - 499.5) < 1e-6);
  CHECK(std::abs(schedule.network_time(0) - std::log(0.002) / 4) < 1e-12);
  CHECK(std::abs(schedule.network_time(999) - std::log(80.) / 4) < 1e-12);
  CHECK(sdx::test::stable_diffusion_schedule().network_time(421.5) == 421.5);
}
