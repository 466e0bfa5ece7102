#include "training/batch.h"

#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "sdx/scheduler/prediction.h"
#include "sdx/tensor/noise.h"

namespace sdx {

namespace {

/// Uniform over the timesteps for a row, while the rows of a batch cover them evenly: the loss
/// varies less from step to step, its expectation is the same.
int stratified_timestep(const InversionOptions& options, int row, int size, RandomStream& pick) {
  constexpr std::uint32_t kResolution = 1U << 24U;
  const double within = static_cast<double>(pick.below(kResolution)) / kResolution;
  const int count = options.last_timestep - options.first_timestep + 1;
  return options.first_timestep + static_cast<int>((row + within) / size * count);
}

at::Tensor training_noise(const InversionOptions& options, at::IntArrayRef shape,
                          RandomStream& stream) {
  const at::Tensor noise = normal_noise(shape, stream);
  if (options.offset_noise == 0) return noise;
  return noise + normal_noise({shape[0], 1, 1}, stream) * options.offset_noise;
}

/// Of a row's squared error: min(SNR, γ) / SNR for a prediction of the noise, over SNR + 1 for one
/// of the velocity, over 1 for one of the picture.
double snr_weight(const InversionOptions& options, const NoiseSchedule& schedule, int timestep) {
  if (options.min_snr == 0) return 1;
  const double alpha = schedule.alpha(timestep);
  const double sigma = schedule.sigma(timestep);
  const double snr = alpha * alpha / (sigma * sigma);
  const double capped = std::min(snr, options.min_snr);
  switch (schedule.config().prediction_type) {
    case PredictionType::kVelocity:
    case PredictionType::kEdm:
      return capped / (snr + 1);
    case PredictionType::kSample:
      return capped;
    default:
      return capped / snr;
  }
}

}  // namespace

TrainingBatch draw_batch(const TrainingData& data, const InversionOptions& options, int size,
                         RandomStream pick, RandomStream noise) {
  const LatentDistribution& portraits = data.portraits.distribution;
  const auto images = static_cast<std::uint32_t>(portraits.mean.size(0));
  const auto sentences = static_cast<std::uint32_t>(data.sentences.size());
  std::vector<at::Tensor> clean;
  std::vector<at::Tensor> noises;
  std::vector<at::Tensor> noisy;
  std::vector<at::Tensor> targets;
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> size_ids;
  std::vector<std::int64_t> timesteps;
  TrainingBatch batch;
  for (int row = 0; row < size; ++row) {
    const auto image = static_cast<std::int64_t>(pick.below(images));
    const std::uint32_t sentence = pick.below(sentences);
    const int timestep = stratified_timestep(options, row, size, pick);
    const at::Tensor mean = portraits.mean[image].cpu();
    const at::Tensor spread = portraits.deviation[image].cpu();
    const at::Tensor latents = mean + spread * normal_noise(mean.sizes(), noise);
    const at::Tensor epsilon = training_noise(options, mean.sizes(), noise);
    const SamplingPoint point = point_at(data.schedule, timestep);
    clean.push_back(latents);
    noises.push_back(epsilon);
    noisy.push_back(noised(latents, epsilon, point));
    targets.push_back(
        prediction_target(latents, epsilon, point, data.schedule.config().prediction_type));
    timesteps.push_back(timestep);
    if (data.portraits.size_ids.defined()) size_ids.push_back(data.portraits.size_ids[image]);
    if (options.min_snr > 0 || data.portraits.mask.defined()) {
      const at::Tensor everywhere = at::ones_like(mean.slice(0, 0, 1));
      const at::Tensor where =
          data.portraits.mask.defined() ? data.portraits.mask[image] : everywhere;
      weights.push_back(where / where.mean() * snr_weight(options, data.schedule, timestep));
    }
    batch.prompts.push_back(&data.sentences[sentence]);
  }
  batch.latents = at::stack(clean);
  batch.noise = at::stack(noises);
  batch.noisy_latents = at::stack(noisy);
  batch.target = at::stack(targets);
  if (!weights.empty()) batch.weight = at::stack(weights);
  batch.timesteps = at::tensor(timesteps, at::kLong);
  if (!size_ids.empty()) batch.size_ids = at::stack(size_ids);
  return batch;
}

TrainingBatch take_rows(const TrainingBatch& batch, int first, int count) {
  const auto part = [&](const at::Tensor& whole) {
    return whole.defined() ? whole.narrow(0, first, count) : at::Tensor();
  };
  return {part(batch.latents),
          part(batch.noise),
          part(batch.noisy_latents),
          part(batch.target),
          part(batch.weight),
          part(batch.timesteps),
          part(batch.size_ids),
          {batch.prompts.begin() + first, batch.prompts.begin() + first + count}};
}

std::size_t chunk_count(const TrainingBatch& batch) {
  std::size_t count = 1;
  for (const TokenizedPrompt* prompt : batch.prompts) {
    count = std::max(count, prompt->chunks.size());
  }
  return count;
}

}  // namespace sdx
