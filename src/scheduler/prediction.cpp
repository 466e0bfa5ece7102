#include "sdx/scheduler/prediction.h"

#include <cmath>

namespace sdx {

SamplingPoint point_at(const NoiseSchedule& schedule, double timestep) {
  const int whole = static_cast<int>(timestep);
  if (whole != timestep) return point_at_level(timestep, schedule.level(timestep));
  return {timestep, schedule.alpha(whole), schedule.sigma(whole)};
}

SamplingPoint point_at_level(double timestep, double level) {
  const double alpha = 1 / std::sqrt(1 + level * level);
  return {timestep, alpha, level * alpha};
}

at::Tensor predicted_original(const at::Tensor& sample, const at::Tensor& model_output,
                              const SamplingPoint& point, PredictionType type) {
  if (type == PredictionType::kSample) return model_output;
  if (type == PredictionType::kVelocity) return sample * point.alpha - model_output * point.sigma;
  if (type == PredictionType::kEdm) return sample * point.alpha + model_output * point.sigma;
  return (sample - model_output * point.sigma) / point.alpha;
}

at::Tensor prediction_target(const at::Tensor& original, const at::Tensor& noise,
                             const SamplingPoint& point, PredictionType type) {
  if (type == PredictionType::kSample) return original;
  if (type == PredictionType::kVelocity) return noise * point.alpha - original * point.sigma;
  if (type == PredictionType::kEdm) return original * point.sigma - noise * point.alpha;
  return noise;
}

at::Tensor noised(const at::Tensor& original, const at::Tensor& noise, const SamplingPoint& point) {
  return original * point.alpha + noise * point.sigma;
}

}  // namespace sdx
