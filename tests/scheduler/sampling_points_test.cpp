#include "sdx/scheduler/sampling_points.h"

#include <cmath>
#include <limits>
#include <string>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "support/sampler_golden.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::make_settings;
using sdx::test::sampler_golden;
using sdx::test::stable_diffusion_schedule;

namespace {

constexpr sdx::ScheduleKind kSchedules[] = {
    sdx::ScheduleKind::kAuto,        sdx::ScheduleKind::kNormal,     sdx::ScheduleKind::kKarras,
    sdx::ScheduleKind::kExponential, sdx::ScheduleKind::kSgmUniform, sdx::ScheduleKind::kSimple,
    sdx::ScheduleKind::kDdim,        sdx::ScheduleKind::kBeta,       sdx::ScheduleKind::kTrailing,
    sdx::ScheduleKind::kAys};

std::vector<double> list_timesteps(const std::vector<sdx::SamplingPoint>& points) {
  std::vector<double> timesteps;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) timesteps.push_back(points[i].timestep);
  return timesteps;
}

}  // namespace

TEST_CASE("scheduler: every schedule has the levels and timesteps of its reference",
          "[scheduler]") {
  int compared = 0;
  for (const auto& [key, levels] : sampler_golden()) {
    const std::vector<std::string> parts = sdx::split_list(key, '.');
    if (parts.front() != "schedule" || parts.back() != "levels") continue;
    INFO(key);
    sdx::SamplerSettings settings = make_settings(sdx::SamplerKind::kEuler, std::stoi(parts[2]));
    settings.schedule = sdx::find_enum<sdx::ScheduleKind>(parts[1]).value();
    const at::Tensor custom = sampler_golden().at("custom");
    settings.custom_sigmas.assign(custom.data_ptr<double>(),
                                  custom.data_ptr<double>() + custom.numel());
    const auto points = sdx::sampling_points(stable_diffusion_schedule(), settings);
    REQUIRE(static_cast<std::int64_t>(points.size()) == levels.numel());
    // diffusers multiplies ᾱ in float32.
    const at::Tensor timesteps =
        sampler_golden().at("schedule." + parts[1] + "." + parts[2] + ".timesteps");
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto place = static_cast<std::int64_t>(i);
      const double level = levels[place].item<double>();
      REQUIRE(std::abs(points[i].level() - level) <= 3e-5 * level);
      if (i + 1 == points.size()) continue;
      REQUIRE(std::abs(points[i].timestep - timesteps[place].item<double>()) < 2e-3);
    }
    ++compared;
  }
  CHECK(compared == 8 * 3 + 2);
}

TEST_CASE("scheduler: what DDIM and DPM++ 2M did before there were schedules", "[scheduler]") {
  const auto ddim =
      sdx::sampling_points(stable_diffusion_schedule(), make_settings(sdx::SamplerKind::kDdim, 4));
  CHECK(list_timesteps(ddim) == std::vector<double>{751, 501, 251, 1});
  CHECK(ddim.back().sigma == stable_diffusion_schedule().sigma(0));
  CHECK(ddim.front().alpha == stable_diffusion_schedule().alpha(751));
  const auto dpmpp = sdx::sampling_points(stable_diffusion_schedule(),
                                          make_settings(sdx::SamplerKind::kDpmpp2m, 4));
  CHECK(list_timesteps(dpmpp) == std::vector<double>{999, 749, 500, 250});
  CHECK(dpmpp.back().sigma == 0);
  CHECK(dpmpp[1].sigma == stable_diffusion_schedule().sigma(749));
}

TEST_CASE("scheduler: the model's spacing comes before the sampler's", "[scheduler]") {
  sdx::NoiseScheduleConfig config;
  config.timestep_spacing = sdx::TimestepSpacing::kTrailing;
  const sdx::NoiseSchedule schedule(config);
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    if (info.spacing == sdx::SamplerSpacing::kConsistency) continue;  // as in its distillation
    INFO(info.typed);
    const auto points = sdx::sampling_points(schedule, make_settings(info.kind, 4));
    CHECK(list_timesteps(points) == std::vector<double>{999, 749, 499, 249});
  }
}

TEST_CASE("scheduler: points fall, for every sampler, schedule and number of steps",
          "[scheduler]") {
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    for (const sdx::ScheduleKind kind : kSchedules) {
      for (const int steps : {1, 2, 3, 30, 50, 999, 1000}) {
        const bool distilled =
            info.spacing == sdx::SamplerSpacing::kConsistency && kind == sdx::ScheduleKind::kAuto;
        if (distilled && steps > 50) continue;
        INFO(info.typed << " " << sdx::to_string(kind) << " " << steps);
        sdx::SamplerSettings settings = make_settings(info.kind, steps);
        settings.schedule = kind;
        const auto points = sdx::sampling_points(stable_diffusion_schedule(), settings);
        REQUIRE(static_cast<int>(points.size()) == steps + 1);
        for (int i = 0; i < steps; ++i) {
          const sdx::SamplingPoint& point = points[static_cast<std::size_t>(i)];
          const sdx::SamplingPoint& next = points[static_cast<std::size_t>(i) + 1];
          REQUIRE(std::abs(point.alpha * point.alpha + point.sigma * point.sigma - 1) < 1e-12);
          REQUIRE((point.timestep >= 0 && point.timestep <= 999));
          // Without the offset, DDIM's last step is at the last point.
          REQUIRE((next.level() < point.level() || (i + 1 == steps && next.sigma > 0)));
        }
      }
    }
  }
}

TEST_CASE("scheduler: steps are checked against the schedule", "[scheduler]") {
  const sdx::NoiseSchedule schedule = stable_diffusion_schedule();
  CHECK_THROWS_AS(sdx::sampling_points(schedule, make_settings(sdx::SamplerKind::kDdim, 0)),
                  sdx::UsageError);
  CHECK_THROWS_AS(sdx::sampling_points(schedule, make_settings(sdx::SamplerKind::kDdim, 1001)),
                  sdx::UsageError);
  CHECK_THROWS_WITH(sdx::sampling_points(schedule, make_settings(sdx::SamplerKind::kLcm, 51)),
                    ContainsSubstring("1 to 50 with the sampler lcm (others take more)"));
  CHECK_THROWS_AS(sdx::sampling_points(schedule, make_settings(sdx::SamplerKind::kTcd, 51)),
                  sdx::UsageError);
  sdx::SamplerSettings lcm = make_settings(sdx::SamplerKind::kLcm, 51);
  lcm.schedule = sdx::ScheduleKind::kSgmUniform;
  CHECK(sdx::sampling_points(schedule, lcm).size() == 52);
}

TEST_CASE("scheduler: custom sigmas must fall and stay above 0", "[scheduler]") {
  sdx::SamplerSettings settings = make_settings(sdx::SamplerKind::kEuler, 20);
  settings.schedule = sdx::ScheduleKind::kCustom;
  const auto list_points = [&](std::vector<double> sigmas) {
    settings.custom_sigmas = std::move(sigmas);
    return sdx::sampling_points(stable_diffusion_schedule(), settings);
  };
  CHECK(list_points({10, 3, 1}).size() == 4);
  CHECK(list_points({10, 3, 1, 0}).size() == 4);
  CHECK(list_points({200, 1}).front().timestep == 999);
  for (const std::vector<double>& sigmas : {std::vector<double>{},
                                            {0},
                                            {3, 10},
                                            {3, 3},
                                            {3, -1},
                                            {3, 0, 1},
                                            {std::numeric_limits<double>::infinity(), 1},
                                            {std::nan(""), 1}}) {
    CHECK_THROWS_AS(list_points(sigmas), sdx::UsageError);
  }
}
