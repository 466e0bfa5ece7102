#include <ATen/ops/sin.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "sdx/scheduler/sample_along.h"
#include "sdx/util/text.h"
#include "support/sampler_golden.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace {

using sdx::test::sampler_golden;

/// The smooth function that scripts/parity/make_sampler_goldens.py puts in place of a UNet.
at::Tensor stand_in_model(const at::Tensor& sample, double timestep) {
  return at::sin(sample * 0.7 + timestep * 0.003) * 0.9;
}

struct Trajectory {
  sdx::NoiseScheduleConfig config;
  sdx::SamplerSettings settings;
};

/// What a key of the golden file names: "walk", sampler, variant, prediction, steps.
Trajectory parse_key(const std::vector<std::string>& parts) {
  Trajectory trajectory;
  trajectory.settings.sampler = sdx::find_enum<sdx::SamplerKind>(parts[1]).value();
  trajectory.settings.steps = std::stoi(parts[4]);
  trajectory.config.prediction_type = sdx::find_enum<sdx::PredictionType>(parts[3]).value();
  trajectory.settings.prediction_type = trajectory.config.prediction_type;
  const std::string& variant = parts[2];
  if (variant == "zero_snr") {
    trajectory.config.zero_terminal_snr = true;
    trajectory.config.timestep_spacing = sdx::TimestepSpacing::kTrailing;
  } else if (variant == "leading" || variant == "trailing" || variant == "linspace") {
    trajectory.config.timestep_spacing = sdx::find_enum<sdx::TimestepSpacing>(variant).value();
  } else {
    trajectory.settings.schedule = sdx::find_enum<sdx::ScheduleKind>(variant).value();
  }
  if (variant == "custom") {
    const at::Tensor sigmas = sampler_golden().at("custom");
    trajectory.settings.custom_sigmas.assign(sigmas.data_ptr<double>(),
                                             sigmas.data_ptr<double>() + sigmas.numel());
  }
  return trajectory;
}

/// Walks with the stand-in and the noise that the reference had; `asked` sees every timestep.
at::Tensor walk(const Trajectory& trajectory, const std::function<void(double)>& asked,
                const sdx::SampleObserver& observe) {
  const at::Tensor noise = sampler_golden().at("noise");
  const sdx::NoiseSchedule schedule(trajectory.config);
  const auto denoise = [&](const at::Tensor& sample, const sdx::SamplingPoint& point, int) {
    asked(point.timestep);
    return sdx::predicted_original(sample, stand_in_model(sample, point.timestep), point,
                                   trajectory.config.prediction_type);
  };
  return sdx::sample_along(
      schedule, trajectory.settings, sdx::sampling_points(schedule, trajectory.settings), 0,
      sampler_golden().at("start"), denoise, [&](int draw) { return noise[draw]; }, observe);
}

struct Differences {
  double sample = 0;
  double timestep = 0;
};

/// Walks, and compares every evaluation's timestep and the samples that were recorded.
Differences compare(const std::string& key, const Trajectory& trajectory) {
  const at::Tensor expected = sampler_golden().at(key);
  const at::Tensor timesteps = sampler_golden().at(key + ".timesteps");
  const at::Tensor recorded =
      sampler_golden().at("recorded." + std::to_string(trajectory.settings.steps));
  Differences worst;
  std::int64_t asked = 0;
  std::int64_t compared = 0;
  const auto ask = [&](double timestep) {
    REQUIRE(asked < timesteps.numel());
    const double off = std::abs(timesteps[asked++].item<double>() - timestep);
    worst.timestep = std::max(worst.timestep, off);
  };
  const auto observe = [&](int steps_done, const at::Tensor& sample) {
    if (compared == recorded.numel() || recorded[compared].item<int>() != steps_done) return;
    const double off = sdx::test::max_difference(sample, expected.narrow(0, compared++, 1));
    worst.sample = std::max(worst.sample, off);
  };
  walk(trajectory, ask, observe);
  CHECK(asked == timesteps.numel());
  CHECK(compared == recorded.numel());
  return worst;
}

}  // namespace

TEST_CASE("scheduler: every sampler walks the trajectory of its reference", "[scheduler]") {
  std::set<std::string> walked;
  for (const auto& [key, value] : sampler_golden()) {
    const std::vector<std::string> parts = sdx::split_list(key, '.');
    if (parts.front() != "walk" || parts.size() != 5) continue;
    INFO(key);
    const Differences off = compare(key, parse_key(parts));
    // diffusers keeps noise levels and timesteps in float32.
    CHECK(off.sample < 1e-4);
    CHECK(off.timestep < 5e-3);
    walked.insert(key);
  }
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    for (const std::string prediction : {"epsilon", "v_prediction"}) {
      for (const std::string steps : {"5", "20", "50"}) {
        const std::string typed(info.typed);
        CHECK(walked.contains("walk." + typed + ".auto." + prediction + "." + steps));
      }
    }
  }
  CHECK(walked.size() == 267);
}

TEST_CASE("scheduler: trailing timesteps that a person asks for are those that a model asks for",
          "[scheduler]") {
  // So Lightning (euler), Turbo (euler_a) and Hyper-SD (ddim) are sampled in diffusers.
  int walked = 0;
  for (const auto& [key, value] : sampler_golden()) {
    const std::vector<std::string> parts = sdx::split_list(key, '.');
    if (parts.front() != "walk" || parts.size() != 5 || parts[2] != "trailing") continue;
    INFO(key);
    Trajectory trajectory = parse_key(parts);
    trajectory.config.timestep_spacing = std::nullopt;
    trajectory.settings.schedule = sdx::ScheduleKind::kTrailing;
    const Differences off = compare(key, trajectory);
    CHECK(off.sample < 1e-4);
    CHECK(off.timestep < 5e-3);
    ++walked;
  }
  // Three samplers, two predictions, 1, 2, 4 and 8 steps; six samplers with 20.
  CHECK(walked == 3 * 2 * 4 + 6);
}

TEST_CASE("scheduler: one step of TCD is one of DDIM with trailing timesteps", "[scheduler]") {
  // So Hyper-SD's files for one step need no other sampling than those for more.
  for (const std::string prediction : {"epsilon", "v_prediction"}) {
    const std::string end = ".auto." + prediction + ".1";
    const std::string trailing = ".trailing." + prediction + ".1";
    const auto walk_once = [](const std::string& key) {
      return walk(parse_key(sdx::split_list(key, '.')), [](double) {}, {});
    };
    CHECK(walk_once("walk.tcd" + end).equal(walk_once("walk.ddim" + trailing)));
    CHECK(sdx::test::max_difference(sampler_golden().at("walk.tcd" + end),
                                    sampler_golden().at("walk.ddim" + trailing)) < 1e-6);
  }
}

TEST_CASE("scheduler: TCD jumps to a whole timestep, from 350 to 245", "[scheduler]") {
  // In binary, 0.7 times 350 is less than 245. The reference multiplies in float32, where it is
  // not.
  const sdx::NoiseSchedule schedule(sdx::NoiseScheduleConfig{});
  Trajectory trajectory;
  trajectory.settings.sampler = sdx::SamplerKind::kTcd;
  trajectory.settings.schedule = sdx::ScheduleKind::kCustom;
  trajectory.settings.custom_sigmas = {schedule.level(700), schedule.level(350)};
  at::Tensor first;
  const auto keep = [&](int steps_done, const at::Tensor& sample) {
    if (steps_done == 1) first = sample;
  };
  walk(
      trajectory, [](double) {}, keep);
  const at::Tensor start = sampler_golden().at("start");
  const at::Tensor said = stand_in_model(start, 700);
  const at::Tensor original = (start - said * schedule.sigma(700)) / schedule.alpha(700);
  const at::Tensor beyond = original * schedule.alpha(245) + said * schedule.sigma(245);
  const double kept = schedule.alpha(350) / schedule.alpha(245);
  const at::Tensor expected =
      beyond * kept + sampler_golden().at("noise")[0] * std::sqrt(1 - kept * kept);
  CHECK(sdx::test::max_difference(first, expected) < 1e-9);
}

TEST_CASE("scheduler: TCD adds no noise below the level that it jumps to", "[scheduler]") {
  // Stable Diffusion's least level is 0.029.
  Trajectory trajectory;
  trajectory.settings.sampler = sdx::SamplerKind::kTcd;
  trajectory.settings.schedule = sdx::ScheduleKind::kCustom;
  trajectory.settings.custom_sigmas = {10, 1, 0.02, 0.01};
  double largest = 0;
  walk(
      trajectory, [](double) {},
      [&](int, const at::Tensor& sample) {
        // Not std::max, which would lose a NaN.
        const double now = sample.abs().max().item<double>();
        if (!(now <= largest)) largest = now;
      });
  CHECK(largest < 100);
}

TEST_CASE("scheduler: every sampler on every schedule ends where its reference does",
          "[scheduler]") {
  std::vector<std::string> keys;
  for (const sdx::SamplerInfo& info : sdx::all_samplers()) {
    for (const std::string schedule :
         {"normal", "karras", "exponential", "sgm_uniform", "simple", "ddim", "beta", "ays"}) {
      for (const std::string prediction : {"epsilon", "v_prediction"}) {
        for (const std::string steps : {"5", "20"}) {
          keys.push_back("final." + std::string(info.typed) + "." + schedule + "." + prediction +
                         "." + steps);
        }
      }
    }
  }
  CHECK(keys.size() == 544);
  for (const std::string& key : keys) {
    INFO(key);
    const auto expected = sampler_golden().find(key);
    REQUIRE(expected != sampler_golden().end());
    const at::Tensor end = walk(parse_key(sdx::split_list(key, '.')), [](double) {}, {});
    const double off = sdx::test::max_difference(end, expected->second);
    CHECK(off < 1e-4);
  }
  const auto stored =
      std::count_if(sampler_golden().begin(), sampler_golden().end(),
                    [](const auto& entry) { return entry.first.starts_with("final."); });
  CHECK(stored == 544);
}
