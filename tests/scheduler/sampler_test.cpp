#include "sdx/scheduler/sampler.h"

#include <ATen/ops/sin.h>

#include "sdx/util/error.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace {

/// The smooth function that scripts/parity/make_goldens.py puts in place of a UNet.
at::Tensor stand_in_model(const at::Tensor& sample, int timestep) {
  return at::sin(sample * 0.7 + timestep * 0.003) * 0.9;
}

}  // namespace

TEST_CASE("scheduler: every sampler walks the trajectory of diffusers", "[scheduler]") {
  for (const auto kind : {sdx::SamplerKind::kDdim, sdx::SamplerKind::kDpmpp2m}) {
    for (const auto type : {sdx::PredictionType::kEpsilon, sdx::PredictionType::kVelocity}) {
      for (const int steps : {5, 20, 50}) {
        const std::string key = "sampler." + std::string(sdx::to_string(kind)) + "." +
                                std::string(sdx::to_string(type)) + "." + std::to_string(steps);
        INFO(key);
        const sdx::NoiseSchedule schedule{sdx::NoiseScheduleConfig{}};
        sdx::Sampler sampler(kind, type, sdx::sampling_points(schedule, kind, steps));
        const at::Tensor expected = sdx::test::golden().at(key);
        const at::Tensor timesteps = sdx::test::golden().at(key + ".timesteps");
        REQUIRE(sampler.steps() == steps);
        at::Tensor sample = sdx::test::golden().at("sampler.start");
        for (int step = 0; step < steps; ++step) {
          const int timestep = sampler.point(step).timestep;
          REQUIRE(timestep == timesteps[step].item<int>());
          sample = sampler.advance(step, sample, stand_in_model(sample, timestep));
          REQUIRE(sdx::test::max_difference(sample, expected[step]) < 1e-4);
        }
      }
    }
  }
}

TEST_CASE("scheduler: a model that knows the picture is led to it", "[scheduler]") {
  const sdx::NoiseSchedule schedule{sdx::NoiseScheduleConfig{}};
  const at::Tensor picture = sdx::test::golden().at("sampler.start") * 0.3;
  sdx::Sampler sampler(sdx::SamplerKind::kDpmpp2m, sdx::PredictionType::kEpsilon,
                       sdx::sampling_points(schedule, sdx::SamplerKind::kDpmpp2m, 7));
  at::Tensor sample = sdx::test::golden().at("sampler.start");
  for (int step = 0; step < 7; ++step) {
    const sdx::SamplingPoint& point = sampler.point(step);
    sample = sampler.advance(step, sample, (sample - picture * point.alpha) / point.sigma);
  }
  CHECK(sdx::test::max_difference(sample, picture) < 1e-9);
}

TEST_CASE("scheduler: samplers are spelt in one way", "[scheduler]") {
  CHECK(sdx::parse_sampler("ddim") == sdx::SamplerKind::kDdim);
  CHECK(sdx::parse_sampler("dpmpp_2m") == sdx::SamplerKind::kDpmpp2m);
  CHECK(sdx::display_name(sdx::SamplerKind::kDpmpp2m) == "DPM++ 2M");
  CHECK_THROWS_AS(sdx::parse_sampler("euler"), sdx::UsageError);
}

TEST_CASE("scheduler: steps are checked against the schedule", "[scheduler]") {
  const sdx::NoiseSchedule schedule{sdx::NoiseScheduleConfig{}};
  CHECK_THROWS_AS(sdx::sampling_points(schedule, sdx::SamplerKind::kDdim, 0), sdx::UsageError);
  CHECK_THROWS_AS(sdx::sampling_points(schedule, sdx::SamplerKind::kDdim, 1001), sdx::UsageError);
  CHECK(sdx::sampling_points(schedule, sdx::SamplerKind::kDdim, 1000).size() == 1001);
}
