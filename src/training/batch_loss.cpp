#include "training/batch_loss.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "sdx/device/transfer.h"
#include "sdx/prompt/prompt.h"

namespace sdx {

namespace {

/// What of one request goes through the UNet at once.
struct Rows {
  const LossRequest* request;
  TrainingBatch batch;
  EmbeddingVectors vectors;  ///< in which the gradient is wanted
  std::size_t index = 0;     ///< of the request
};

bool fit_together(const Rows& a, const Rows& b) {
  const Inversion::Model& model = a.request->model;
  const Inversion::Model& other = b.request->model;
  return &model.unet == &other.unet && &model.text_encoders == &other.text_encoders &&
         a.request->memory == b.request->memory &&
         a.batch.latents.sizes().slice(1) == b.batch.latents.sizes().slice(1) &&
         a.batch.size_ids.defined() == b.batch.size_ids.defined() &&
         chunk_count(a.batch) == chunk_count(b.batch);
}

at::Tensor joined(const std::vector<Rows>& group, at::Tensor TrainingBatch::*field) {
  std::vector<at::Tensor> parts;
  for (const Rows& rows : group) parts.push_back(rows.batch.*field);
  return at::cat(parts);
}

/// What the prompts of all say to the UNet. A prompt names no embedding but its request's.
Conditioning encode(const std::vector<Rows>& group) {
  std::vector<SplicedPrompt> prompts;
  for (const Rows& rows : group) {
    for (const TokenizedPrompt* prompt : rows.batch.prompts) {
      prompts.push_back({*prompt, std::vector(prompt->embeddings.size(), rows.vectors)});
    }
  }
  const Inversion::Model& model = group.front().request->model;
  const at::Tensor& latents = group.front().batch.latents;
  const int factor = model.bundle.info().vae_factor;
  const ImageSize size{static_cast<int>(latents.size(3)) * factor,
                       static_cast<int>(latents.size(2)) * factor};
  Conditioning conditioning = encode_prompts(prompts, model.tokenizer, model.text_encoders, size);
  if (conditioning.size_ids.defined() && group.front().batch.size_ids.defined()) {
    conditioning.size_ids =
        to_device(joined(group, &TrainingBatch::size_ids), conditioning.size_ids.device());
  }
  return conditioning;
}

/// The loss of each, [] float32.
std::vector<at::Tensor> forward(const std::vector<Rows>& group) {
  const LossRequest& first = *group.front().request;
  const at::Tensor predictions = first.model.unet.forward(
      joined(group, &TrainingBatch::noisy_latents), joined(group, &TrainingBatch::timesteps),
      encode(group), first.memory);
  std::vector<at::Tensor> losses;
  std::int64_t begin = 0;
  for (const Rows& rows : group) {
    const TrainingBatch& batch = rows.batch;
    const std::int64_t count = batch.latents.size(0);
    const at::Tensor prediction = predictions.narrow(0, begin, count);
    const at::Tensor error = (prediction - to_device(batch.target, prediction.device())).pow(2);
    losses.push_back(batch.weight.defined()
                         ? (error * to_device(batch.weight, error.device())).mean()
                         : error.mean());
    begin += count;
  }
  return losses;
}

/// The rows of every request that has a part of this number.
std::vector<Rows> rows_of_part(const std::vector<LossRequest>& requests, int part) {
  std::vector<Rows> all;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const LossRequest& request = requests[i];
    if (part >= request.parts) continue;
    const int count = static_cast<int>(request.batch.latents.size(0)) / request.parts;
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& matrix : request.vectors.matrices()) {
      const bool is_wanted = is_trained(request.trained, leaves.size());
      leaves.push_back(matrix.detach().clone().set_requires_grad(is_wanted));
    }
    all.push_back({&request, take_rows(request.batch, part * count, count),
                   EmbeddingVectors(std::move(leaves)), i});
  }
  return all;
}

/// Adds to each request's result what its rows in the group give.
void add_losses(const std::vector<Rows>& group, std::vector<LossAndGradient>& results) {
  std::vector<at::Tensor> leaves;
  for (const Rows& rows : group) {
    for (const at::Tensor& matrix : rows.vectors.matrices()) {
      if (matrix.requires_grad()) leaves.push_back(matrix);
    }
  }
  const std::vector<at::Tensor> losses = forward(group);
  const std::vector<at::Tensor> gradients = torch::autograd::grad(losses, leaves);
  auto next = gradients.begin();
  for (std::size_t i = 0; i < group.size(); ++i) {
    const int parts = group[i].request->parts;
    LossAndGradient& result = results[group[i].index];
    result.loss += losses[i].item<double>() / parts;
    const EmbeddingVectors share = group[i].vectors.map([&](const at::Tensor& matrix) {
      return matrix.requires_grad() ? *next++ / parts : at::zeros_like(matrix);
    });
    result.gradient =
        result.gradient.defined()
            ? result.gradient.map(
                  [](const at::Tensor& sum, const at::Tensor& part) { return sum + part; }, share)
            : share;
  }
}

}  // namespace

double compute_loss(const LossRequest& request) {
  const at::NoGradGuard no_grad;
  return forward({{&request, request.batch, request.vectors}}).front().item<double>();
}

std::vector<LossAndGradient> losses_and_gradients(const std::vector<LossRequest>& requests) {
  const at::AutoGradMode with_gradient(true);
  std::vector<LossAndGradient> results(requests.size());
  int most_parts = 0;
  for (const LossRequest& request : requests) most_parts = std::max(most_parts, request.parts);
  for (int part = 0; part < most_parts; ++part) {
    std::vector<Rows> left = rows_of_part(requests, part);
    while (!left.empty()) {
      const Rows first = left.front();
      const auto others = std::stable_partition(
          left.begin(), left.end(), [&](const Rows& rows) { return fit_together(rows, first); });
      const std::vector<Rows> group(left.begin(), others);
      left.erase(left.begin(), others);
      add_losses(group, results);
    }
  }
  return results;
}

}  // namespace sdx
