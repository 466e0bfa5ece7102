#include "sdx/scheduler/noise_schedule.h"

#include <cmath>

#include "sdx/util/error.h"
#include "support/sampler_golden.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("scheduler: the schedule of Stable Diffusion", "[scheduler]") {
  const sdx::NoiseSchedule schedule{sdx::NoiseScheduleConfig{}};
  // diffusers 0.42.1, DDIMScheduler(...).alphas_cumprod[[0, 500, 999]]
  const auto alpha_cumprod = [&](int t) { return std::pow(schedule.alpha(t), 2); };
  CHECK(std::abs(alpha_cumprod(0) - 0.99914998) < 1e-6);
  CHECK(std::abs(alpha_cumprod(500) - 0.27633247) < 1e-6);
  CHECK(std::abs(alpha_cumprod(999) - 0.00466010) < 1e-6);
  for (const int t : {0, 1, 500, 999}) {
    CHECK(std::abs(alpha_cumprod(t) + std::pow(schedule.sigma(t), 2) - 1) < 1e-12);
  }
  CHECK_THROWS(schedule.alpha(1000));
}

TEST_CASE("scheduler: impossible schedules are refused", "[scheduler]") {
  sdx::NoiseScheduleConfig config;
  config.train_timesteps = 0;
  CHECK_THROWS_AS(sdx::NoiseSchedule(config), sdx::DataError);
  config = {};
  config.beta_end = 1.5;
  CHECK_THROWS_AS(sdx::NoiseSchedule(config), sdx::DataError);
}

TEST_CASE("scheduler: enums are spelt as in scheduler_config.json", "[scheduler]") {
  // "edm" is our own: diffusers says it by the scheduler's class.
  CHECK(sdx::enum_texts<sdx::PredictionType>() ==
        std::vector<std::string>{"epsilon", "v_prediction", "sample", "edm"});
  CHECK(sdx::enum_texts<sdx::BetaSchedule>() ==
        std::vector<std::string>{"linear", "scaled_linear", "edm"});
  CHECK(sdx::enum_texts<sdx::TimestepSpacing>() ==
        std::vector<std::string>{"leading", "trailing", "linspace"});
  CHECK(sdx::find_enum<sdx::PredictionType>("v_prediction") == sdx::PredictionType::kVelocity);
  CHECK_FALSE(sdx::find_enum<sdx::PredictionType>("flow"));
}

TEST_CASE("scheduler: zero terminal SNR", "[scheduler]") {
  sdx::NoiseScheduleConfig config;
  config.zero_terminal_snr = true;
  CHECK_THROWS_AS(sdx::NoiseSchedule(config), sdx::DataError);  // of a model of the noise
  config.prediction_type = sdx::PredictionType::kVelocity;
  const sdx::NoiseSchedule schedule(config);
  const at::Tensor expected = sdx::test::sampler_golden().at("zero_snr.alphas_cumprod");
  for (int t = 0; t < 1000; ++t) {
    const double alpha_cumprod = std::pow(schedule.alpha(t), 2);
    REQUIRE(std::abs(alpha_cumprod - expected[t].item<double>()) < 1e-6);
  }
  CHECK(schedule.alpha(999) == 0);
  CHECK(schedule.sigma(999) == 1);
  CHECK(std::abs(schedule.level(999) - 4096) < 0.01);
}

TEST_CASE("scheduler: noise levels and timesteps belong to each other", "[scheduler]") {
  const sdx::NoiseSchedule schedule{sdx::NoiseScheduleConfig{}};
  for (const int t : {0, 1, 500, 999}) {
    CHECK(std::abs(schedule.level(t) - schedule.sigma(t) / schedule.alpha(t)) < 1e-12);
    CHECK(std::abs(schedule.timestep_of_level(schedule.level(t)) - t) < 1e-9);
  }
  const double between = (schedule.level(500) + schedule.level(501)) / 2;
  CHECK(std::abs(schedule.level(500.5) - between) < 1e-12);
  const double geometric = std::sqrt(schedule.level(500) * schedule.level(501));
  CHECK(std::abs(schedule.timestep_of_level(geometric) - 500.5) < 1e-9);
  CHECK(schedule.timestep_of_level(0.001) == 0);
  CHECK(schedule.timestep_of_level(1000) == 999);
}
