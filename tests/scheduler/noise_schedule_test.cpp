#include "sdx/scheduler/noise_schedule.h"

#include <cmath>

#include "sdx/util/error.h"

#include "support/catch.h"

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
  for (const auto type : {sdx::PredictionType::kEpsilon, sdx::PredictionType::kVelocity}) {
    CHECK(sdx::parse_prediction_type(sdx::to_string(type)) == type);
  }
  for (const auto beta : {sdx::BetaSchedule::kLinear, sdx::BetaSchedule::kScaledLinear}) {
    CHECK(sdx::parse_beta_schedule(sdx::to_string(beta)) == beta);
  }
  CHECK_THROWS_AS(sdx::parse_prediction_type("sample"), sdx::DataError);
  CHECK_THROWS_AS(sdx::parse_beta_schedule("cosine"), sdx::DataError);
}
