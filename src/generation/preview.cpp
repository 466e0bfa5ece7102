#include "sdx/generation/preview.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>

#include "sdx/generation/noise.h"

namespace sdx {

namespace {

/// By keturn, for colours in −1 … 1: a row for each channel.
constexpr std::array<double, 12> kSd1 = {0.298,  0.207, 0.208, 0.187,  0.286,  0.173,
                                         -0.158, 0.189, 0.264, -0.184, -0.271, -0.473};
/// By Vass, for colours in 0 … 255: a row for each channel.
constexpr std::array<double, 12> kSdxl = {60, 60, 60, -60, -5, 10, 25, 15, -5, -70, -50, -35};
constexpr std::array<double, 3> kSdxlBias = {150, 140, 130};
constexpr double kHalfRange = 127.5;

at::Tensor to_weight(const std::array<double, 12>& rows) {
  return at::tensor(at::ArrayRef<double>(rows), at::kFloat).view({4, 3}).t().contiguous();
}

bool is_scaled_by(const BundleInfo& info, double scale) {
  return info.latent_channels == 4 && std::abs(info.latent_scale - scale) < 1e-6;
}

}  // namespace

at::Tensor LatentColours::colour(const at::Tensor& latents) const {
  const at::Tensor values = latents.to(at::kCPU, at::kFloat);
  return at::einsum("bchw,rc->brhw", {values, weight}) + bias.view({1, 3, 1, 1});
}

std::optional<LatentColours> find_latent_colours(const BundleInfo& info) {
  if (info.family != ModelFamily::kSdxl && is_scaled_by(info, 0.18215)) {
    return LatentColours{to_weight(kSd1), at::zeros({3})};
  }
  if (info.family == ModelFamily::kSdxl && is_scaled_by(info, 0.13025)) {
    const at::Tensor bias = at::tensor(at::ArrayRef<double>(kSdxlBias), at::kFloat);
    return LatentColours{to_weight(kSdxl) / kHalfRange, bias / kHalfRange - 1};
  }
  return std::nullopt;
}

LatentColours fit_latent_colours(const VaeDecoder& decoder, int channels) {
  // Patches are as wide as what a decoder sees around a latent: single latents would be noise.
  constexpr std::int64_t kPatches = 8;
  constexpr std::int64_t kSide = 3;
  const at::Tensor values = seed_latents(0, channels, kPatches, kPatches);
  const at::Tensor latents = values.repeat_interleave(kSide, 2).repeat_interleave(kSide, 3);
  const at::Tensor pixels = decoder.decode(latents).to(at::kCPU, at::kFloat);
  const std::int64_t side = pixels.size(2) / kPatches;
  const at::Tensor means = pixels.reshape({3, kPatches, side, kPatches, side}).mean({2, 4});
  // Least squares by the normal equations, with a last column of ones for the bias.
  const at::Tensor points =
      at::cat({values.reshape({channels, -1}).t(), at::ones({kPatches * kPatches, 1})}, 1)
          .to(at::kDouble);
  const at::Tensor colours = means.reshape({3, -1}).t().to(at::kDouble);
  if (!at::isfinite(colours).all().item<bool>()) return {at::zeros({3, channels}), at::zeros({3})};
  const at::Tensor solved =
      at::linalg_solve(at::matmul(points.t(), points), at::matmul(points.t(), colours))
          .to(at::kFloat);
  return {solved.narrow(0, 0, channels).t().contiguous(), solved[channels].contiguous()};
}

}  // namespace sdx
