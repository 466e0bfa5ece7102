#include "sdx/scheduler/sampler.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/tanh.h>

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "sdx/scheduler/sample_along.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "support/sampler_golden.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::make_settings;
using sdx::test::max_difference;
using sdx::test::sampler_golden;
using sdx::test::stable_diffusion_schedule;

namespace {

constexpr sdx::ScheduleKind kSchedules[] = {
    sdx::ScheduleKind::kAuto,   sdx::ScheduleKind::kKarras, sdx::ScheduleKind::kSgmUniform,
    sdx::ScheduleKind::kSimple, sdx::ScheduleKind::kDdim,   sdx::ScheduleKind::kAys};

at::Tensor some_image() { return sampler_golden().at("noise")[99] * 0.3; }

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
    return some_image();
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
        sdx::SamplerSettings settings = make_settings(info.kind, steps);
        settings.schedule = kind;
        const auto points = sdx::sampling_points(stable_diffusion_schedule(), settings);
        const at::Tensor from =
            sdx::noised(some_image(), start, points[static_cast<std::size_t>(first_step)]);
        // The last point of DDIM and PNDM is not quite free of noise.
        const at::Tensor end = sdx::noised(some_image(), start, points.back());
        Asked asked;
        const double off = max_difference(walk(settings, first_step, from, asked), end);
        // LCM mixes in a trace of the sample, more of it the nearer the last timestep is to 0. TCD
        // has drawn the noise of its last point anew.
        const bool is_near = info.spacing == sdx::SamplerSpacing::kConsistency;
        CHECK(off < (is_near ? 0.1 : 1e-9));
      }
    }
  }
}

TEST_CASE("scheduler: the longest walk stays finite", "[scheduler]") {
  const sdx::NoiseSchedule schedule = stable_diffusion_schedule();
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    INFO(info.typed);
    sdx::SamplerSettings settings = make_settings(info.kind, 1000);
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
    walk(make_settings(info.kind, 7), 0, sampler_golden().at("start"), whole);
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
    walk(make_settings(info.kind, 7), 4, sampler_golden().at("start"), late);
    CHECK(late.steps_done == std::vector<int>{1, 2, 3});
    CHECK(late.steps.front() == 4);
    CHECK(
        late.timesteps.front() ==
        sdx::sampling_points(stable_diffusion_schedule(), make_settings(info.kind, 7))[4].timestep);
    REQUIRE(late.draws.size() <= whole.draws.size());
    CHECK(std::vector<int>(whole.draws.end() - static_cast<std::ptrdiff_t>(late.draws.size()),
                           whole.draws.end()) == late.draws);
  }
}

TEST_CASE("scheduler: a walk needs a step to take", "[scheduler]") {
  Asked asked;
  for (const int first_step : {-1, 5}) {
    CHECK_THROWS_AS(walk(make_settings(sdx::SamplerKind::kEuler, 5), first_step,
                         sampler_golden().at("start"), asked),
                    sdx::InternalError);
  }
}

TEST_CASE("scheduler: what a model says and what it means", "[scheduler]") {
  const sdx::SamplingPoint point = sdx::point_at(stable_diffusion_schedule(), 500.5);
  const at::Tensor noise = sampler_golden().at("start");
  const at::Tensor sample = sdx::noised(some_image(), noise, point);
  for (const auto type : {sdx::PredictionType::kEpsilon, sdx::PredictionType::kVelocity,
                          sdx::PredictionType::kSample}) {
    INFO(sdx::to_string(type));
    const at::Tensor said = sdx::prediction_target(some_image(), noise, point, type);
    CHECK(max_difference(sdx::predicted_original(sample, said, point, type), some_image()) < 1e-12);
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

TEST_CASE("scheduler: each row of the table of samplers is complete", "[scheduler]") {
  std::set<sdx::SamplerKind> kinds;
  std::set<std::string> names;
  std::set<sdx::SamplerFunction*> algorithms;
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    INFO(info.typed);
    CHECK(kinds.insert(info.kind).second);
    CHECK(algorithms.insert(info.run).second);
    CHECK(info.run != nullptr);
    CHECK_FALSE(info.typed.empty());
    CHECK_FALSE(info.displayed.empty());
    CHECK_FALSE(info.advice.empty());
    CHECK((info.evaluations_per_step == 1 || info.evaluations_per_step == 2));
    // A name stands for one sampler, in whatever case it is typed.
    std::set<std::string> own;
    for (const std::string_view name : {info.typed, info.displayed, info.alias}) {
      if (!name.empty()) own.insert(sdx::lower_case(name));
    }
    for (const std::string& name : own) CHECK(names.insert(name).second);
    CHECK(&sdx::sampler_info(info.kind) == &info);
  }
  // No value of the enum is without a row.
  CHECK(static_cast<int>(*kinds.begin()) == 0);
  CHECK(static_cast<std::size_t>(*kinds.rbegin()) + 1 == kinds.size());
  const auto beyond = static_cast<sdx::SamplerKind>(kinds.size());
  CHECK_THROWS_AS(sdx::sampler_info(beyond), sdx::InternalError);
}

TEST_CASE("scheduler: each row says what its algorithm needs", "[scheduler]") {
  sdx::NoiseScheduleConfig config = stable_diffusion_schedule().config();
  config.zero_terminal_snr = true;
  config.prediction_type = sdx::PredictionType::kVelocity;
  config.timestep_spacing = sdx::TimestepSpacing::kTrailing;
  const sdx::NoiseSchedule from_noise(config);
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    INFO(info.typed);
    // Only an algorithm that never divides by α is given the point where it is 0.
    const sdx::SamplerSettings settings = make_settings(info.kind, 5);
    const auto points = sdx::sampling_points(from_noise, settings);
    CHECK((points.front().alpha == 0) == info.takes_pure_noise);
    const auto denoise = [](const at::Tensor& sample, const sdx::SamplingPoint&, int) {
      return at::tanh(sample);
    };
    const auto noise = [](int draw) { return sampler_golden().at("noise")[draw]; };
    const at::Tensor end = sdx::sample_along(from_noise, settings, points, 0,
                                             sampler_golden().at("start"), denoise, noise, {});
    CHECK(end.isfinite().all().item<bool>());

    const auto usual = sdx::sampling_points(stable_diffusion_schedule(), settings);
    CHECK((usual.back().sigma > 0) == info.ends_at_first_timestep);

    sdx::SamplerSettings karras = settings;
    karras.schedule = sdx::ScheduleKind::kKarras;
    bool is_whole = true;
    for (const sdx::SamplingPoint& point :
         sdx::sampling_points(stable_diffusion_schedule(), karras)) {
      is_whole = is_whole && point.timestep == std::floor(point.timestep);
    }
    CHECK(is_whole == info.rounds_karras);
  }
}

TEST_CASE("scheduler: samplers and schedules are read as typed and as displayed", "[scheduler]") {
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    CHECK(sdx::find_enum<sdx::SamplerKind>(sdx::to_string(info.kind)) == info.kind);
    CHECK(sdx::find_enum<sdx::SamplerKind>(sdx::display_name(info.kind)) == info.kind);
    CHECK(sdx::draws_noise(info.kind) == info.draws_noise);
  }
  CHECK(sdx::all_samplers().size() == 17);
  CHECK(sdx::display_name(sdx::SamplerKind::kDpmpp2m) == "DPM++ 2M");
  CHECK(sdx::find_enum<sdx::SamplerKind>("euler A") == sdx::SamplerKind::kEulerAncestral);
  CHECK(sdx::find_enum<sdx::SamplerKind>("PNDM") == sdx::SamplerKind::kPndm);
  CHECK(sdx::find_enum<sdx::ScheduleKind>("SGM Uniform") == sdx::ScheduleKind::kSgmUniform);
  CHECK(sdx::find_enum<sdx::ScheduleKind>("sgm_uniform") == sdx::ScheduleKind::kSgmUniform);
  CHECK(sdx::find_enum<sdx::ScheduleKind>("uniform") == sdx::ScheduleKind::kNormal);
  CHECK(sdx::display_name(sdx::ScheduleKind::kKarras) == "Karras");
  CHECK_THROWS_WITH(sdx::parse_sampler_choice("eular"), ContainsSubstring("`sampler`") &&
                                                            ContainsSubstring("euler_a") &&
                                                            ContainsSubstring("eular"));
  CHECK_FALSE(sdx::find_enum<sdx::ScheduleKind>("cosine"));
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
