#include "sdx/scheduler/sampler.h"

#include <ATen/ops/tanh.h>

#include <set>
#include <string>
#include <utility>

#include "sdx/scheduler/sample_along.h"
#include "sdx/util/error.h"
#include "support/sampler_golden.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::max_difference;
using sdx::test::sampler_golden;
using sdx::test::settings_of;
using sdx::test::stable_diffusion_schedule;

namespace {

constexpr sdx::ScheduleKind kSchedules[] = {
    sdx::ScheduleKind::kAuto,   sdx::ScheduleKind::kKarras, sdx::ScheduleKind::kSgmUniform,
    sdx::ScheduleKind::kSimple, sdx::ScheduleKind::kDdim,   sdx::ScheduleKind::kAys};

at::Tensor some_picture() { return sampler_golden().at("noise")[99] * 0.3; }

/// What was asked of the model and of the noise in a walk.
struct Asked {
  std::vector<double> timesteps;
  std::vector<int> steps;
  std::vector<int> draws;
  std::vector<int> steps_done;
};

/// Walks with a model that knows the picture.
at::Tensor walk(const sdx::SamplerSettings& settings, int first_step, const at::Tensor& sample,
                Asked& asked) {
  const sdx::NoiseSchedule schedule = stable_diffusion_schedule();
  const auto denoise = [&](const at::Tensor&, const sdx::SamplingPoint& point, int step) {
    asked.timesteps.push_back(point.timestep);
    asked.steps.push_back(step);
    return some_picture();
  };
  const auto noise = [&](int draw) {
    asked.draws.push_back(draw);
    return sampler_golden().at("noise")[draw];
  };
  return sdx::sample_along(
      schedule, settings, sdx::sampling_points(schedule, settings), first_step, sample, denoise,
      noise, [&](int steps_done, const at::Tensor&) { asked.steps_done.push_back(steps_done); });
}

}  // namespace

TEST_CASE("scheduler: a model that knows the picture is led to it", "[scheduler]") {
  const at::Tensor start = sampler_golden().at("start");
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    for (const sdx::ScheduleKind kind : kSchedules) {
      for (const auto& [steps, first_step] : {std::pair{7, 0}, {7, 3}, {7, 6}, {2, 0}, {1, 0}}) {
        INFO(info.typed << " " << sdx::to_string(kind) << " from step " << first_step << " of "
                        << steps);
        sdx::SamplerSettings settings = settings_of(info.kind, steps);
        settings.schedule = kind;
        const auto points = sdx::sampling_points(stable_diffusion_schedule(), settings);
        const at::Tensor from =
            sdx::noised(some_picture(), start, points[static_cast<std::size_t>(first_step)]);
        // The last point of DDIM and PNDM is not quite free of noise.
        const at::Tensor end = sdx::noised(some_picture(), start, points.back());
        Asked asked;
        const double off = max_difference(walk(settings, first_step, from, asked), end);
        // LCM mixes in a trace of the sample, more of it the nearer the last timestep is to 0.
        CHECK(off < (info.kind == sdx::SamplerKind::kLcm ? 0.1 : 1e-9));
      }
    }
  }
}

TEST_CASE("scheduler: the longest walk stays finite", "[scheduler]") {
  const sdx::NoiseSchedule schedule = stable_diffusion_schedule();
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    INFO(info.typed);
    sdx::SamplerSettings settings = settings_of(info.kind, 1000);
    settings.lcm_original_steps = 1000;
    const auto denoise = [](const at::Tensor& sample, const sdx::SamplingPoint& point, int) {
      return at::tanh(sample * point.alpha);
    };
    const auto noise = [](int draw) { return sampler_golden().at("noise")[draw % 100]; };
    const at::Tensor end =
        sdx::sample_along(schedule, settings, sdx::sampling_points(schedule, settings), 0,
                          sampler_golden().at("start"), denoise, noise, {});
    CHECK(end.abs().max().item<double>() < 2);
  }
}

TEST_CASE("scheduler: evaluations, draws and steps are counted as announced", "[scheduler]") {
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    INFO(info.typed);
    Asked whole;
    walk(settings_of(info.kind, 7), 0, sampler_golden().at("start"), whole);
    const bool pndm = info.kind == sdx::SamplerKind::kPndm;
    const std::size_t expected = info.evaluations_per_step == 2 ? 2 * 7 - 1 : pndm ? 7 + 1 : 7;
    CHECK(whole.timesteps.size() == expected);
    CHECK(whole.steps.back() == 6);
    CHECK(whole.steps_done == std::vector<int>{1, 2, 3, 4, 5, 6, 7});
    CHECK(whole.draws.empty() == !info.draws_noise);
    const std::set<int> different(whole.draws.begin(), whole.draws.end());
    CHECK(different.size() == whole.draws.size());

    // A walk from the middle sees the noise that the whole walk saw there.
    Asked late;
    walk(settings_of(info.kind, 7), 4, sampler_golden().at("start"), late);
    CHECK(late.steps_done == std::vector<int>{1, 2, 3});
    CHECK(late.steps.front() == 4);
    CHECK(late.timesteps.front() ==
          sdx::sampling_points(stable_diffusion_schedule(), settings_of(info.kind, 7))[4].timestep);
    REQUIRE(late.draws.size() <= whole.draws.size());
    CHECK(std::vector<int>(whole.draws.end() - static_cast<std::ptrdiff_t>(late.draws.size()),
                           whole.draws.end()) == late.draws);
  }
}

TEST_CASE("scheduler: a walk needs a step to take", "[scheduler]") {
  Asked asked;
  for (const int first_step : {-1, 5}) {
    CHECK_THROWS_AS(walk(settings_of(sdx::SamplerKind::kEuler, 5), first_step,
                         sampler_golden().at("start"), asked),
                    sdx::InternalError);
  }
}

TEST_CASE("scheduler: what a model says and what it means", "[scheduler]") {
  const sdx::SamplingPoint point = sdx::point_at(stable_diffusion_schedule(), 500.5);
  const at::Tensor noise = sampler_golden().at("start");
  const at::Tensor sample = sdx::noised(some_picture(), noise, point);
  for (const auto type : {sdx::PredictionType::kEpsilon, sdx::PredictionType::kVelocity,
                          sdx::PredictionType::kSample}) {
    INFO(sdx::to_string(type));
    const at::Tensor said = sdx::prediction_target(some_picture(), noise, point, type);
    CHECK(max_difference(sdx::predicted_original(sample, said, point, type), some_picture()) <
          1e-12);
  }
}

TEST_CASE("scheduler: pure noise enters k-diffusion's samplers with the first level",
          "[scheduler]") {
  const sdx::SamplingPoint first{999, 0.6, 0.8};
  const at::Tensor noise = sampler_golden().at("start");
  CHECK(sdx::starting_sample(sdx::SamplerKind::kDpmpp2m, noise, first).equal(noise));
  CHECK(sdx::starting_sample(sdx::SamplerKind::kDdim, noise, first).equal(noise));
  CHECK(sdx::starting_sample(sdx::SamplerKind::kEuler, noise, first).equal(noise * 0.8));
}

TEST_CASE("scheduler: samplers and schedules are read as typed and as displayed", "[scheduler]") {
  std::set<std::string_view> typed;
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    CHECK(sdx::parse_sampler(sdx::to_string(info.kind)) == info.kind);
    CHECK(sdx::parse_sampler(sdx::display_name(info.kind)) == info.kind);
    CHECK(sdx::draws_noise(info.kind) == info.draws_noise);
    typed.insert(info.typed);
  }
  CHECK(typed.size() == 16);
  CHECK(sdx::display_name(sdx::SamplerKind::kDpmpp2m) == "DPM++ 2M");
  CHECK(sdx::parse_sampler("euler A") == sdx::SamplerKind::kEulerAncestral);
  CHECK(sdx::parse_sampler("PNDM") == sdx::SamplerKind::kPndm);
  CHECK(sdx::parse_schedule("SGM Uniform") == sdx::ScheduleKind::kSgmUniform);
  CHECK(sdx::parse_schedule("sgm_uniform") == sdx::ScheduleKind::kSgmUniform);
  CHECK(sdx::display_name(sdx::ScheduleKind::kKarras) == "Karras");
  CHECK_THROWS_WITH(sdx::parse_sampler("eular"),
                    ContainsSubstring("euler_a") && ContainsSubstring("eular"));
  CHECK_THROWS_AS(sdx::parse_sampler(""), sdx::UsageError);
  CHECK_THROWS_AS(sdx::parse_schedule("cosine"), sdx::UsageError);
}

TEST_CASE("scheduler: joint names of older pictures are read", "[scheduler]") {
  const auto choice = sdx::parse_sampler_choice("DPM++ 2M SDE Karras");
  CHECK(choice.sampler == sdx::SamplerKind::kDpmpp2mSde);
  CHECK(choice.schedule == sdx::ScheduleKind::kKarras);
  CHECK(sdx::parse_sampler_choice("dpm2 a karras").sampler == sdx::SamplerKind::kDpm2Ancestral);
  CHECK_FALSE(sdx::parse_sampler_choice("DPM++ 2M").schedule);
  CHECK_THROWS_AS(sdx::parse_sampler_choice("Karras"), sdx::UsageError);
  CHECK_THROWS_AS(sdx::parse_sampler_choice("DPM++ 9M Karras"), sdx::UsageError);
}
