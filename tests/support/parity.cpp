#include "support/parity.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace sdx::test {

namespace {

constexpr double kBound = 1e-4;
constexpr std::int64_t kKeptEvery = 61;  ///< of the outputs of full-size models

struct Size {
  const char* name;
  std::int64_t batch;
  std::int64_t height;
  std::int64_t width;
};

const std::vector<Size> kTinySizes = {{"square", 1, 8, 8}, {"wide", 3, 8, 12}, {"odd", 2, 7, 9}};
const std::vector<Size> kFullSizes = {
    {"square", 1, 32, 32}, {"wide", 2, 16, 24}, {"three", 3, 8, 16}};

void check(const std::string& key, const at::Tensor& found, const SyntheticModel& model) {
  const at::Tensor& expected = model.golden().at(key);
  const bool thinned = expected.dim() == 1;
  const double difference = max_difference(
      thinned ? found.flatten().slice(0, 0, std::nullopt, kKeptEvery) : found, expected);
  INFO(key << " differs by at most " << difference);
  CHECK(difference < kBound);
}

}  // namespace

void check_parity(const Bundle& bundle, const SyntheticModel& model, bool full_size) {
  const at::NoGradGuard no_grad;
  {
    const TextEncoder encoder(bundle, c10::DeviceType::CPU);
    const at::Tensor ids = (at::arange(2 * 77, at::kLong).reshape({2, 77}) * 631 + 11) % 49400;
    for (int skip = 0; skip < bundle.info().text_layers(); ++skip) {
      check("text." + std::to_string(skip), encoder.encode(encoder.embed(ids), skip), model);
    }
  }
  {
    const UNet unet(bundle, {});
    const at::Tensor timesteps = at::tensor({981, 500, 3}, at::kLong);
    for (const Size& size : full_size ? kFullSizes : kTinySizes) {
      const std::string name = size.name;
      const auto context =
          synthetic_noise(name + ".context", {size.batch, 77, bundle.info().context_width()});
      const auto sample =
          synthetic_noise(name + ".sample", {size.batch, 4, size.height, size.width});
      check("unet." + name, unet.forward(sample, timesteps.slice(0, 0, size.batch), {context}),
            model);
    }
  }
  const double scale = bundle.info().latent_scale;
  const LatentDistribution latents =
      VaeEncoder(bundle, {}).encode(synthetic_noise("image", {1, 3, 64, 96}) * 0.5);
  // As the reference has them: mean and log-variance, not scaled.
  check("vae.moments", at::cat({latents.mean / scale, (latents.deviation / scale).log() * 2}, 1),
        model);
  check("vae.decoded",
        VaeDecoder(bundle, {}).decode(synthetic_noise("latents", {1, 4, 8, 12}) * scale), model);
}

}  // namespace sdx::test
