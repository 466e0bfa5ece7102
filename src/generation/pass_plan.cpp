#include "generation/pass_plan.h"

#include <algorithm>
#include <cmath>

namespace sdx {

namespace {

PassPlan plan_pass(Pass pass, const SamplerSettings& sampler, const NoiseSchedule& schedule) {
  PassPlan plan;
  plan.pass = pass;
  plan.sampler = sampler;
  plan.sampler.prediction_type = schedule.config().prediction_type;
  plan.points = sampling_points(schedule, plan.sampler);
  plan.prompt_steps.steps = static_cast<int>(plan.points.size()) - 1;
  return plan;
}

/// Where a walk begins that takes a share of the steps; at least one is taken.
int find_first_step(int steps, double strength) {
  return steps - std::clamp(static_cast<int>(std::lround(steps * strength)), 1, steps);
}

}  // namespace

std::vector<PassPlan> plan_passes(const ImageSettings& settings, const NoiseSchedule& schedule) {
  std::vector<PassPlan> plans = {plan_pass(Pass::kFirst, settings.sampler, schedule)};
  const int steps = plans.front().prompt_steps.steps;
  if (settings.start) plans.front().first_step = find_first_step(steps, settings.strength);
  if (settings.hires.scale > 1) {
    SamplerSettings sampler = settings.sampler;
    if (settings.hires.steps > 0) sampler.steps = settings.hires.steps;
    PassPlan second = plan_pass(Pass::kHires, sampler, schedule);
    second.prompt_steps.steps_before = steps;
    second.first_step = find_first_step(second.prompt_steps.steps, settings.hires.strength);
    plans.push_back(std::move(second));
  }
  return plans;
}

int steps_to_take(const ImageSettings& settings, const NoiseSchedule& schedule) {
  int steps = 0;
  for (const PassPlan& plan : plan_passes(settings, schedule)) steps += plan.steps_to_take();
  return steps;
}

}  // namespace sdx
