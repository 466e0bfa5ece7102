#include "sdx/training/memory_estimate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "sdx/device/device.h"
#include "sdx/device/recorded_call.h"
#include "sdx/tensor/allocation_meter.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
#include "training/small_step.h"

namespace sdx {

namespace {

/// What a model is told of the image's size takes the same memory for each.
constexpr ImageSize kAnySize{1, 1};
/// Side of the small pictures in latents: two sizes that every depth of UNet divides evenly.
constexpr std::int64_t kSmallSide = 16;
constexpr std::int64_t kLargeSide = 32;

/// The most that lives at one time in a step on one picture of some area, by the line through two
/// measurements.
double peak_bytes_for(const SmallStep& parts, double area, bool with_gradient) {
  const auto small = static_cast<double>(run_small_step(parts, kSmallSide, with_gradient));
  const auto large = static_cast<double>(run_small_step(parts, kLargeSide, with_gradient));
  const double per_latent = (large - small) / (kLargeSide * kLargeSide - kSmallSide * kSmallSide);
  return small + per_latent * (area - kSmallSide * kSmallSide);
}

/// Convolutions rearrange a copy of their weights. Without a gradient little else lives at the
/// peak, and the copy is one for all pictures.
double largest_parameter_bytes(const UNet& unet) {
  std::size_t most = 0;
  for (const at::Tensor& parameter : unet.parameters()) most = std::max(most, parameter.nbytes());
  return static_cast<double>(most);
}

}  // namespace

std::int64_t run_small_step(const SmallStep& parts, std::int64_t side, bool with_gradient) {
  const at::AutoGradMode mode(with_gradient);
  const ChunkIds chunks = parts.text_encoders.measuring_chunks(parts.chunks);
  std::vector<at::Tensor> embeddings;
  for (const at::Tensor& rows : parts.text_encoders.embed(chunks)) {
    embeddings.push_back(rows.detach().set_requires_grad(with_gradient));
  }
  const at::Tensor sample = at::zeros({1, parts.unet.latent_channels(), side, side});
  const PlainCallsGuard plain;
  const AllocationMeter meter;
  const Conditioning conditioning =
      parts.text_encoders.join(parts.text_encoders.encode(embeddings, chunks.ends), 1, kAnySize);
  const at::Tensor loss =
      parts.unet.forward(sample, at::zeros({1}, at::kLong), conditioning, parts.memory)
          .pow(2)
          .mean();
  if (with_gradient) torch::autograd::grad({loss}, embeddings);
  return meter.peak_bytes();
}

MemoryEstimate estimate_memory(const TextEncoders& text_encoders, const UNet& unet,
                               const StepShape& shape, GradientMemory memory) {
  const SmallStep parts{text_encoders, unet, memory, shape.chunks};
  const double area = static_cast<double>(shape.latent_height) * shape.latent_width;
  const double step = shape.batch_size * peak_bytes_for(parts, area, /*with_gradient=*/true);
  const double copy = largest_parameter_bytes(unet);
  const double evaluation_on_one = peak_bytes_for(parts, area, /*with_gradient=*/false);
  const double look = copy + shape.without_gradient * std::max(0.0, evaluation_on_one - copy);
  return {used_bytes(unet.parameters().front().device()), std::llround(std::max(step, look))};
}

void require_memory(const MemoryEstimate& estimate, std::int64_t available_bytes, int batch_size,
                    GradientMemory memory) {
  constexpr double kTolerance = 0.75;
  if (static_cast<double>(estimate.step_bytes) * kTolerance <=
      static_cast<double>(available_bytes)) {
    return;
  }
  const auto text = [](std::int64_t bytes) {
    return bytes_text(static_cast<std::uint64_t>(bytes));
  };
  std::vector<std::string> advice;
  if (batch_size > 1) advice.push_back("lower `batch` (it is " + std::to_string(batch_size) + ")");
  if (memory == GradientMemory::kNormal) advice.emplace_back("choose `memory` low");
  advice.emplace_back("end other programs, or take a smaller model (`model`)");
  throw TryAgainError("a step of this training takes about " + text(estimate.step_bytes) +
                      " of memory, " + text(available_bytes) + " are free: " + join(advice, "; "));
}

}  // namespace sdx
