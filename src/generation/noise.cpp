#include "sdx/generation/noise.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/where.h>

#include "sdx/tensor/noise.h"

namespace sdx {

namespace {

constexpr double kAlmostParallel = 0.9995;

/// Draws of the second pass are counted from here: no first pass has so many.
constexpr std::uint64_t kFirstHiresDraw = 1'000'000;

at::Tensor norm_of_rows(const at::Tensor& x) {
  return at::linalg_vector_norm(x.flatten(1), 2, 1).view({-1, 1, 1, 1});
}

}  // namespace

at::Tensor seed_latents(std::uint64_t seed, int channels, int height, int width) {
  RandomStream stream(seed, RandomPurpose::kInitialLatents);
  return normal_noise({1, channels, height, width}, stream);
}

at::Tensor start_noise(const ImageRequest& request, int channels, int height, int width) {
  const at::Tensor noise = seed_latents(request.seed, channels, height, width);
  if (request.variation_strength == 0) return noise;
  return spherical_interpolation(noise,
                                 seed_latents(request.variation_seed, channels, height, width),
                                 request.variation_strength);
}

at::Tensor spherical_interpolation(const at::Tensor& a, const at::Tensor& b, double fraction) {
  const at::Tensor cosine =
      (a / norm_of_rows(a) * (b / norm_of_rows(b))).sum({1, 2, 3}).view({-1, 1, 1, 1});
  const at::Tensor angle = cosine.clamp(-1, 1).acos();
  const at::Tensor on_sphere =
      (a * ((1 - fraction) * angle).sin() + b * (fraction * angle).sin()) / angle.sin();
  return at::where(cosine > kAlmostParallel, a + (b - a) * fraction, on_sphere);
}

at::Tensor sampler_noise(std::uint64_t seed, Pass pass, int draw, int channels, int height,
                         int width) {
  const std::uint64_t first = pass == Pass::kFirst ? 0 : kFirstHiresDraw;
  RandomStream stream(seed, RandomPurpose::kSamplerNoise, first + static_cast<std::uint64_t>(draw));
  return normal_noise({1, channels, height, width}, stream);
}

}  // namespace sdx
